/** The protocol, byte for byte and word for word, against the Python package in both directions. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import fc from "fast-check";

import { type Bytes, toHex } from "../src/bytes.ts";
import { Client } from "../src/client.ts";
import { type Named, samplesOf } from "../src/samples.ts";
import { DecryptionError, HermeticError, InputError, MismatchError, WireError } from "../src/errors.ts";
import { chooseLabel, chooseLabels, hasProbabilities, isMultilabel, probabilities, respond } from "../src/links.ts";
import { FAST, PRECISE, PROFILES } from "../src/parameters.ts";
import { SecretKey } from "../src/secret-key.ts";
import { PUBLIC_KEY_DOMAIN, QUERY_DOMAIN, expand } from "../src/seeds.ts";
import { type Signature, layoutFor, mayBeMissing } from "../src/signature.ts";
import * as wire from "../src/wire.ts";
import { type Answer, Oracle, base64, bytes } from "./oracle.ts";

const oracle = new Oracle();
after(() => oracle.close());

const keys = new Map<string, SecretKey>();

/** A model of the oracle's, and a client for it; keys are made once a parameter set. */
async function made(options: object): Promise<{ model: Answer; signature: Signature; client: Client }> {
  const model = await oracle.call("make", options);
  assert.equal(model["message"], undefined);
  const signature = await wire.signatureFromBytes(bytes(model["signature"]));
  const { profile } = signature.parameters;
  const key = keys.get(profile) ?? (await SecretKey.generate(signature.parameters));
  keys.set(profile, key);
  return { model, signature, client: new Client(signature, key) };
}

async function answer(client: Client, X: number[] | number[][]): Promise<wire.Result> {
  const { signature } = client;
  const samples = samplesOf(X, signature.features, null, (feature) => mayBeMissing(signature, feature));
  const query = await wire.queryToBytes(await client.encrypt(samples));
  const answered = await oracle.call("evaluate", { query: base64(query), key: base64(client.secretKey.publicKey) });
  assert.equal(answered["message"], undefined);
  const result = bytes(answered["result"]);
  assert.ok(wire.sameBatch(query, result));
  return wire.resultFromBytes(result, signature);
}

/** That a signature is refused, in words, with each of these changes to its fields. */
async function refusesAll(signature: Signature, changes: readonly object[]): Promise<void> {
  const document = JSON.parse(new TextDecoder().decode(signature.json)) as Record<string, unknown>;
  for (const change of changes) {
    const json = new TextEncoder().encode(JSON.stringify({ ...document, ...change }));
    await assert.rejects(
      async () => wire.signatureFromBytes(await wire.signatureToBytes({ ...signature, json })),
      (error) => error instanceof HermeticError && ["WireError", "UnsupportedError"].includes(error.name),
      JSON.stringify(change),
    );
  }
}

test("seeds expand to the same residues", async () => {
  for (const parameters of PROFILES) {
    for (const [domain, index] of [
      [QUERY_DOMAIN, 0],
      [QUERY_DOMAIN, 70_000],
      [PUBLIC_KEY_DOMAIN, 0],
    ] as const) {
      const seed = Uint8Array.from({ length: 32 }, (_, i) => (17 * i + index) % 256);
      const mine = await expand(domain, seed, index, parameters, parameters.keyPrimes);
      const { rows } = await oracle.call("expand", { domain, seed: toHex(seed), index, profile: parameters.profile });
      assert.deepEqual(
        mine.map((row) => Array.from(row)),
        rows,
      );
    }
  }
});

const MODELS: readonly { kind: string; profile?: string; tolerance?: number }[] = [
  { kind: "digits" },
  { kind: "cancer" },
  { kind: "huber" },
  { kind: "diabetes" },
  { kind: "multi" },
  { kind: "pairs" },
  { kind: "votes" },
  { kind: "calibrated" },
  { kind: "soft" },
  { kind: "logarithms" },
  { kind: "rates" },
  { kind: "bayes" },
  { kind: "priors" },
  { kind: "components" },
  { kind: "ovo" },
  { kind: "multilabel" },
  { kind: "boosted" },
  { kind: "forest" },
  { kind: "digits", profile: "precise" },
  { kind: "diabetes", tolerance: 1e-9 },
];

for (const options of MODELS) {
  test(`${JSON.stringify(options)}: what Python answers decrypts to the integer reference, bit for bit`, async () => {
    const { model, signature, client } = await made(options);
    assert.equal(signature.digest, model["digest"]);
    assert.equal(String(signature.kind === "linear" ? signature.delta : signature.circuit.delta), model["delta"]);
    assert.equal(
      String(signature.kind === "linear" ? signature.resultNoise : null),
      model["result_noise"].replace("None", "null"),
    );
    for (const [samples, size] of Object.entries(model["sizes"])) {
      assert.equal(wire.queryBytes(signature, layoutFor(signature, Number(samples)), Number(samples)), size);
    }
    const X = model["X"] as number[][];
    for (const input of [X[0]!, X.slice(0, 1), X.slice(0, 3), X.slice(0, 50)]) {
      if (signature.kind === "trees" && input.length > 3) continue; // each sample is answered by itself
      const reference = await oracle.call("reference", { X: input });
      const result = await answer(client, input);
      assert.equal(result.batch.vector, typeof input[0] === "number");
      assert.deepEqual(Array.from(await client.decryptIntegers(result), String), reference["integers"]);
      checkScores(signature, await client.decrypt(result), reference);
    }
  });
}

/** The response within the guaranteed error; labels, and probabilities to match, as the estimator's own. */
function checkScores(signature: Signature, scores: Float64Array, reference: Answer): void {
  const { outputs: k, method, link, labels, error } = signature;
  (reference["response"] as number[][]).forEach((expected, i) => {
    const mine = scores.subarray(i * k, (i + 1) * k);
    const response = respond(method, link, mine, labels?.length ?? 0);
    assert.equal(response.length, expected.length);
    expected.forEach((one, v) =>
      assert.ok(Math.abs(response[v]! - one) <= error * Math.max(1, 2 * Math.abs(one)) + 1e-12),
    );
    if (labels !== null) {
      const chosen = isMultilabel(link) ? chooseLabels(mine, labels) : chooseLabel(method, link, mine, labels);
      assert.deepEqual(chosen, reference["labels"][i]);
    }
    if (hasProbabilities(link)) {
      const expectedProba = reference["proba"][i] as number[];
      probabilities(link, mine, labels!.length).forEach((one, v) =>
        assert.ok(Math.abs(one - expectedProba[v]!) <= error + 1e-12),
      );
    }
  });
}

test("inputs of any value in range, and batches of any size, are answered exactly", async () => {
  const { signature, client } = await made({ kind: "cancer" });
  assert.ok(signature.kind === "linear");
  const { grid, features } = signature;
  const sample = fc
    .array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: features, maxLength: features })
    .map((shares) => shares.map((share, u) => grid.lower(u) + share * (grid.upper(u) - grid.lower(u))));
  await fc.assert(
    fc.asyncProperty(fc.array(sample, { minLength: 1, maxLength: 40 }), async (X) => {
      const reference = await oracle.call("reference", { X });
      const mine = grid.quantize(samplesOf(X, features).values);
      assert.deepEqual(
        Array.from(mine, (one) => one + 0),
        reference["quantized"].flat(),
      );
      const found = await client.decryptIntegers(await answer(client, X));
      assert.deepEqual(Array.from(found, String), reference["integers"]);
    }),
    { numRuns: 15 },
  );
});

test("links give what Python's give", async () => {
  const score = fc.double({ min: -700, max: 700, noNaN: true });
  for (const [link, classes, width] of [
    ["logistic", 2, 1],
    ["logistic", 4, 4],
    ["softmax", 3, 3],
    ["modified_huber", 2, 1],
    ["modified_huber", 4, 4],
    ["mean_logistic", 2, 3],
    ["mean_logistic", 3, 6],
    ["mean_softmax", 2, 4],
    ["mean_softmax", 3, 6],
    ["one_vs_one", 4, 6],
    ["votes", 3, 3],
    ["exp", 0, 2],
    ["expm1", 0, 2],
    ["multilabel_logistic", 2, 3],
  ] as const) {
    const rows = fc.sample(fc.array(score, { minLength: width, maxLength: width }), 50);
    const binary = width === 1;
    const { values } = await oracle.call("link", { link, scores: binary ? rows.flat() : rows, classes });
    rows.forEach((row, i) => {
      const scores = Float64Array.from(row);
      const mine = hasProbabilities(link)
        ? probabilities(link, scores, classes)
        : respond("decision_function", link, scores, classes);
      mine.forEach((one, v) =>
        assert.ok(Math.abs(one - values[i][v]) <= 1e-12 * Math.max(1e-290, Math.abs(values[i][v])) + 1e-300),
      );
    });
  }
});

for (const profile of ["fast", "precise"]) {
  test(`${profile}: Python's objects have the same words here, and are written back as the same bytes`, async () => {
    const { model, signature } = await made({ kind: "digits", profile });
    const made_ = await oracle.call("encrypt", { X: model["X"].slice(0, 20) });
    const every97th = (rows: Float64Array[]): number[] =>
      rows.flatMap((row) => Array.from(row)).filter((_, i) => i % 97 === 0);

    const signatureBytes = bytes(model["signature"]);
    assert.deepEqual(await wire.signatureToBytes(signature), signatureBytes);
    const key = await wire.publicKeyFromBytes(bytes(made_["key"]));
    assert.deepEqual(every97th([...key.b]), made_["words"].key);
    assert.deepEqual(await wire.publicKeyToBytes(key), bytes(made_["key"]));
    assert.equal(wire.publicKeyBytes(signature.parameters), bytes(made_["key"]).length);
    const query = await wire.queryFromBytes(bytes(made_["query"]), signature);
    assert.deepEqual(every97th(query.c0.flat()), made_["words"].query);
    assert.deepEqual(await wire.queryToBytes(query), bytes(made_["query"]));
    const result = await wire.resultFromBytes(bytes(made_["result"]), signature);
    assert.ok(result.kind === "linear");
    assert.deepEqual(every97th(result.c1.flat()), made_["c1"]);
    assert.deepEqual(every97th([...result.words]), made_["words"].result);
    assert.deepEqual(await wire.resultToBytes(result), bytes(made_["result"]));
  });
}

test("encrypting twice gives different bytes of the same length", async () => {
  const { model, client } = await made({ kind: "digits" });
  const samples = samplesOf(model["X"][0], 64);
  const [first, second] = await Promise.all(
    [client.encrypt(samples), client.encrypt(samples)].map(async (one) => wire.queryToBytes(await one)),
  );
  assert.equal(first!.length, second!.length);
  const same = first!.filter((byte, i) => byte === second![i]).length;
  assert.ok(same < first!.length / 50, `${same} of ${first!.length} bytes are the same`);
});

test("a result of another key or model is refused", async () => {
  const { model, signature, client } = await made({ kind: "digits" });
  const result = await answer(client, model["X"][0]);
  const stranger = new Client(signature, await SecretKey.generate(FAST));
  await assert.rejects(stranger.decrypt(result), MismatchError);
  const other = await made({ kind: "huber" });
  await assert.rejects(other.client.decrypt(result), MismatchError);
  await assert.rejects(wire.resultFromBytes(await wire.resultToBytes(result), other.signature), MismatchError);
  assert.throws(() => new Client(other.signature, keys.get(PRECISE.profile)!), MismatchError);
});

test("a phase within the noise bound decrypts, and one beyond it or beyond the result bits is refused", async () => {
  const { model, signature, client } = await made({ kind: "digits" });
  const result = await answer(client, model["X"][0]);
  assert.ok(result.kind === "linear" && signature.kind === "linear");
  const c1 = result.c1.map((polynomial) => polynomial.map((row) => new Float64Array(row.length)));
  const prime = BigInt(FAST.keptPrimes[0]!);
  const integers = (phase: bigint): Promise<BigInt64Array> => {
    const word = Number((phase + prime) % prime);
    return client.decryptIntegers({ ...result, c1, words: [new Float64Array(10).fill(word)] });
  };
  const { delta, resultNoise, resultBits } = signature;
  const limit = 2n ** BigInt(resultBits - 1);
  for (const y of [0n, 5n, -7n, limit - 1n, 1n - limit]) {
    assert.deepEqual(await integers(delta * y + resultNoise), new BigInt64Array(10).fill(y));
    assert.deepEqual(await integers(delta * y - resultNoise), new BigInt64Array(10).fill(y));
    await assert.rejects(integers(delta * y + resultNoise + 1n), DecryptionError);
    await assert.rejects(integers(delta * y - resultNoise - 1n), DecryptionError);
  }
  await assert.rejects(integers(delta * limit), DecryptionError);
  await assert.rejects(integers(-delta * limit), DecryptionError);
});

test("damaged, cut and lengthened objects are refused as such, and never otherwise", async () => {
  const { model, signature } = await made({ kind: "digits" });
  const made_ = await oracle.call("encrypt", { X: model["X"][0] });
  const readers: readonly [string, (data: Bytes) => Promise<unknown>][] = [
    ["key", (data) => wire.publicKeyFromBytes(data)],
    ["query", (data) => wire.queryFromBytes(data, signature)],
    ["result", (data) => wire.resultFromBytes(data, signature)],
  ];
  for (const [name, read] of readers) {
    const data = bytes(made_[name]);
    await fc.assert(
      fc.asyncProperty(fc.nat(data.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const damaged = data.slice();
        damaged[at]! ^= change;
        await assert.rejects(read(damaged), WireError);
        await assert.rejects(read(data.slice(0, at)), WireError);
      }),
      { numRuns: 60 },
    );
    await assert.rejects(read(new Uint8Array([...data, 0])), WireError);
  }
});

test("a well-formed envelope with a word that is no residue is refused", async () => {
  const key = await wire.publicKeyFromBytes(keys.get("fast")!.publicKey);
  const b = key.b.map((row, i) => (i === 1 ? row.map((word, j) => (j === 5 ? FAST.keyPrimes[1]! : word)) : row));
  await assert.rejects(
    async () => wire.publicKeyFromBytes(await wire.publicKeyToBytes({ ...key, b })),
    /below its prime/,
  );
});

test("a signature that is not consistent is refused", async () => {
  const { signature } = await made({ kind: "digits" });
  const document = JSON.parse(new TextDecoder().decode(signature.json)) as Record<string, unknown>;
  const changes: readonly Record<string, unknown>[] = [
    { features: 0 },
    { outputs: 11 },
    { link: "probit" },
    { method: "transform" },
    { result_bits: 45 },
    { layouts: [[3, 1, 1, 20]] },
    { layouts: [[1, 64, 10, 5]] },
    { layouts: [] },
    { labels: { dtype: "<i8", values: ["a"] } },
    { labels: { dtype: "<c8", values: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] } },
    { labels: { dtype: "<i8", values: [0, 1, 2, 3, 4, 5, 6, 7, 8, 2 ** 60] } },
    { grid: { ...(document["grid"] as object), step: 0 } },
    { grid: { ...(document["grid"] as object), high: 2 ** 60 } },
    { grid: { ...(document["grid"] as object), low: 0.5 } },
    { error: -1 },
    { extra: 1 },
    { profile: "precise" },
  ];
  await refusesAll(signature, changes);
});

test("a signature of trees that is not consistent is refused", async () => {
  const { signature } = await made({ kind: "boosted" });
  const document = JSON.parse(new TextDecoder().decode(signature.json)) as Record<string, unknown>;
  const [columns] = document["feature_map"] as [Record<string, unknown>];
  const bins = columns!["block"] as Record<string, unknown>;
  const map = (changes: object, inner: object = {}): object => ({
    feature_map: [{ ...columns, ...changes, block: { ...bins, ...inner } }],
  });
  const changes: readonly object[] = [
    { circuit: "networks" },
    { edges: [] },
    { edges: [-1, ...(document["edges"] as number[]).slice(1)] },
    { edges: (document["edges"] as number[]).map(() => 1 << 17) },
    { missing: [true] },
    { missing: (document["missing"] as boolean[]).map(Number) },
    { words: [0] },
    { words: [1] },
    { words: [1 << 20], columns: 1 << 10 },
    { trees: [1, 1] },
    { columns: 0 },
    { limbs: 9 },
    { bits: 0 },
    { bits: 5000 },
    { seal: [] },
    { seal: [[4000, 3999]] },
    { seal: [[5000]] },
    { strict: 1 },
    { lambda_bits: 5 },
    { lambda_bits: 99 },
    { features: 30 },
    { profile: PRECISE.profile, parameters: PRECISE.digest },
    { feature_map: [] },
    { feature_map: [columns, columns] },
    { feature_map: { blocks: [columns], categories: [] } },
    map({ kind: "chain" }),
    map({ columns: [0] }),
    map({ inputs: 1 }),
    map({}, { kind: "splines" }),
    map({}, { edges: [[1, 0]] }),
    map({}, { edges: (bins["edges"] as number[][]).map(() => [0]) }),
    map({}, { missing: [1] }),
  ];
  await refusesAll(signature, changes);
});

test("answers of trees that were cut, mixed up or damaged do not open", async () => {
  const { model, signature, client } = await made({ kind: "boosted" });
  const X = model["X"] as number[][];
  const [first, second] = [await answer(client, X.slice(0, 2)), await answer(client, X.slice(0, 2))];
  assert.ok(first.kind === "trees" && second.kind === "trees" && signature.kind === "trees");
  const mixed = [
    { ...first, answers: [...first.answers].reverse() },
    { ...first, batch: second.batch },
    { ...first, answers: [[first.answers[0]![0]!, second.answers[0]![1]!, first.answers[0]![2]!], first.answers[1]!] },
  ];
  for (const one of mixed) await assert.rejects(client.decrypt(one), DecryptionError);
  const data = await wire.resultToBytes(first);
  await assert.rejects(wire.resultFromBytes(data.slice(0, -1), signature), WireError);
});

test("values of trees may be missing where the model says so, and must be finite", async () => {
  const { signature, client } = await made({ kind: "forest" });
  const encrypt = (value: number): Promise<wire.Query> =>
    client.encrypt(
      samplesOf(
        Array.from({ length: signature.features }, () => value),
        signature.features,
      ),
    );
  assert.equal(mayBeMissing(signature, 0), true);
  await encrypt(NaN);
  await assert.rejects(encrypt(Infinity), /must be finite. Got Infinity \(sample 0/);
});

test("a link of a later version is refused with what to do", async () => {
  const { signature } = await made({ kind: "digits" });
  const document = JSON.parse(new TextDecoder().decode(signature.json)) as Record<string, unknown>;
  const json = new TextEncoder().encode(JSON.stringify({ ...document, link: "mean_probit" }));
  const envelope = await wire.signatureToBytes({ ...signature, json });
  await assert.rejects(
    wire.signatureFromBytes(envelope),
    /decision_function with mean_probit.*update @hermetic\/client/,
  );
});

test("a model with public features is refused in words", async () => {
  const { signature } = await made({ kind: "digits" });
  const document = JSON.parse(new TextDecoder().decode(signature.json)) as Record<string, unknown>;
  const json = new TextEncoder().encode(JSON.stringify({ ...document, feature_map: [] }));
  const envelope = await wire.signatureToBytes({ ...signature, json });
  await assert.rejects(wire.signatureFromBytes(envelope), /public features.*use the Python client/);
});

test("a model on a public backbone names it, and takes features", async () => {
  const { signature } = await made({ kind: "digits" });
  const document = JSON.parse(new TextDecoder().decode(signature.json)) as Record<string, unknown>;
  const read = async (backbone: unknown): Promise<Signature> => {
    const json = new TextEncoder().encode(JSON.stringify({ ...document, backbone }));
    return wire.signatureFromBytes(await wire.signatureToBytes({ ...signature, json }));
  };
  assert.equal(signature.backbone, null);
  assert.equal((await read("resnet")).backbone, "resnet");
  await assert.rejects(read(7), WireError);
});

test("inputs of another shape or type are refused", () => {
  assert.throws(() => samplesOf([1, 2, 3], 4), /must have 4 features. Got 3 features in sample 0/);
  assert.throws(() => samplesOf([], 4), InputError);
  assert.throws(() => samplesOf([[1, 2], [1]], 2), /1 features in sample 1/);
  for (const text of ["two", "", " ", "1,5", "0x10", "Infinity", "NaN", "1e", "1 2"]) {
    assert.throws(() => samplesOf([1, text], 2), /must be numbers. Got .*\(sample 0, feature 1\)/);
  }
  assert.throws(() => samplesOf([[1, 2], null] as unknown as number[][], 2), InputError);
  assert.deepEqual(samplesOf(Float32Array.of(1, 2), 2).values, Float64Array.of(1, 2));
});

test("numbers may be texts, as forms have them", () => {
  assert.deepEqual(samplesOf(["1", " 2.50 "], 2), samplesOf([1, 2.5], 2));
  assert.deepEqual(
    samplesOf(
      [
        ["-1e3", ".5"],
        [1, "+2."],
      ],
      2,
    ).values,
    Float64Array.of(-1000, 0.5, 1, 2),
  );
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      assert.equal(samplesOf([String(value)], 1).values[0], value + 0);
    }),
  );
});

const NAMES = ["age", "bmi", "constructor"];

test("names decide: any order, in objects, maps and forms, one sample or several", () => {
  const form = new FormData();
  for (const [name, value] of [
    ["constructor", "3"],
    ["ward", "B"],
    ["bmi", "2.5"],
    ["age", "1"],
  ] as const) {
    form.append(name, value);
  }
  const expected = samplesOf([1, 2.5, 3], 3);
  const mixed = { constructor: 3, ward: "B", bmi: "2.5", age: 1 };
  for (const one of [mixed, new Map(Object.entries(mixed)), form, new URLSearchParams(form as never)]) {
    assert.deepEqual(samplesOf(one as Named, 3, NAMES), expected);
  }
  assert.deepEqual(samplesOf([mixed, form] as Named[], 3, NAMES).values, Float64Array.of(1, 2.5, 3, 1, 2.5, 3));
  fc.assert(
    fc.property(fc.shuffledSubarray([0, 1, 2, 3, 4], { minLength: 5 }), (order) => {
      const entries = [
        ["age", 1],
        ["bmi", 2],
        ["constructor", 3],
        ["other", "x"],
        ["more", null],
      ] as const;
      const sample = new Map<string, unknown>(order.map((i) => entries[i]!));
      assert.deepEqual(samplesOf(sample, 3, NAMES).values, Float64Array.of(1, 2, 3));
    }),
  );
});

test("what has other names is refused, and says which", () => {
  const twice = new URLSearchParams("age=1&bmi=2&constructor=3&age=4");
  for (const [sample, message] of [
    [{ age: 1, BMI: 2 }, /Missing in sample 0: 'bmi', 'constructor'. Not known: 'BMI'/],
    [
      [
        { age: 1, bmi: 2, constructor: 3 },
        { age: 1, bmi: 2 },
      ],
      /Missing in sample 1: 'constructor'\.$/,
    ],
    [twice, /there once. Sample 0 has more of 'age'/],
    [{ age: 1, bmi: "much", constructor: 3 }, /Got much \(sample 0, column 'bmi'\)/],
    [{ age: 1, bmi: undefined, constructor: 3 }, /Got undefined \(sample 0, column 'bmi'\)/],
    [[[1, 2, 3], 4], /must be samples of numbers. Got 4 in sample 1/],
  ] as [Named, RegExp][]) {
    assert.throws(() => samplesOf(sample, 3, NAMES), message);
  }
  assert.throws(() => samplesOf({ age: 1 }, 1), /the model has no names/);
});
