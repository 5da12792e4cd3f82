/** The client over HTTP, against the real service. */
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import fc from "fast-check";

import * as hermetic from "../src/index.ts";
import type { Bytes } from "../src/bytes.ts";
import { type Answer, Oracle } from "./oracle.ts";
import { Server, newToken } from "./server.ts";

const folder = mkdtempSync(join(tmpdir(), "hermetic-"));
const models = join(folder, "models");
const tokens = join(folder, "tokens");
const oracle = new Oracle();

async function publish(name: string, version: number, options: object): Promise<Answer> {
  const directory = join(models, name, String(version));
  mkdirSync(directory, { recursive: true });
  const made = await oracle.call("make", { ...options, name });
  await oracle.call("save", { path: join(directory, "model.hermetic") });
  return made;
}

const tumours = await publish("tumours", 1, { kind: "cancer" });
const boosted = await publish("boosted", 1, { kind: "boosted" });
const digits = await publish("digits", 1, { kind: "digits" });
const token = newToken("tests", tokens);
const server = await Server.start([models], "--tokens", tokens, "--max-samples", "64");
const { url } = server;

after(async () => {
  oracle.close();
  await server.stop();
  rmSync(folder, { recursive: true });
});

class MemoryStore implements hermetic.KeyStore {
  readonly keys = new Map<string, Bytes>();
  get = async (name: string): Promise<Bytes | undefined> => this.keys.get(name);
  put = async (name: string, sealed: Bytes): Promise<void> => void this.keys.set(name, sealed);
  delete = async (name: string): Promise<void> => void this.keys.delete(name);
}

test("predictions are the estimator's, for one sample, a batch, and more than the service takes at once", async () => {
  const model = await hermetic.connect(url, { model: "digits", token });
  const X = digits["X"] as number[][];
  const many = Array.from({ length: 150 }, (_, i) => X[i % X.length]!);
  const expected = await oracle.call("reference", { X: many });
  assert.equal(await model.predict(X[0]!), expected["labels"][0]);
  assert.deepEqual(await model.predict(many), expected["labels"]);
  const scores = await model.decisionFunction(many);
  const proba = await model.predictProba(many);
  scores.forEach((row, i) => {
    row.forEach((score, v) => assert.ok(Math.abs(score - expected["response"][i][v]) <= model.signature.error));
    proba[i]!.forEach((one, v) => assert.ok(Math.abs(one - expected["proba"][i][v]) <= model.signature.error));
  });
  model.close();
  await assert.rejects(model.predict(X[0]!), hermetic.HermeticError);
});

test("private trees answer as the library does, with values missing, one sample or several", async () => {
  const model = await hermetic.connect(url, { model: "boosted", token });
  const X = (boosted["X"] as (number | null)[][]).slice(0, 5);
  await oracle.call("make", { kind: "boosted" });
  const expected = await oracle.call("reference", { X });
  await oracle.call("make", { kind: "digits" });
  assert.deepEqual(await model.predict(X), expected["labels"]);
  (await model.decisionFunction(X)).forEach((row, i) =>
    assert.ok(Math.abs(row[0]! - expected["response"][i][0]) <= model.signature.error + 1e-6),
  );
  const one = await model.predictProba(X[0]!);
  assert.ok(Math.abs(one[1]! - expected["proba"][0][1]) < 1e-5);
  model.close();
});

test("any input in range is predicted as the estimator does, over the live service", async () => {
  const model = await hermetic.connect(url, { model: "digits", token });
  const image = fc.array(fc.integer({ min: 0, max: 16 }), { minLength: 64, maxLength: 64 });
  await fc.assert(
    fc.asyncProperty(fc.array(image, { minLength: 1, maxLength: 70 }), async (images) => {
      const X = images.map((one) => one.map((pixel) => pixel / 16));
      const { response } = await oracle.call("reference", { X });
      (await model.decisionFunction(X)).forEach((row, i) => {
        row.forEach((score, v) => assert.ok(Math.abs(score - response[i][v]) <= model.signature.error));
      });
    }),
    { numRuns: 15 },
  );
});

test("a wrong token, no token, an unknown model and no model's name each have their message", async () => {
  const attempts: readonly [hermetic.ConnectOptions, string, RegExp][] = [
    [
      { model: "digits", token: "hermetic_wrong" },
      "AuthenticationError",
      /valid token. This one is unknown or expired/,
    ],
    [{ model: "digits" }, "AuthenticationError", /valid token. None was given/],
    [{ model: "cats", token }, "ModelNotFoundError", /no model cats/],
    [{ token }, "ModelNotFoundError", /one of its models. It has: boosted, digits, tumours/],
  ];
  for (const [options, name, message] of attempts) {
    await assert.rejects(hermetic.connect(url, options), (error: Error) => {
      assert.equal(error.name, name);
      assert.match(error.message, message);
      return true;
    });
  }
});

test("a service that is down, and one that is no Hermetic, each have their message", async () => {
  const options = { model: "digits", token, retries: 1 };
  await assert.rejects(hermetic.connect("http://127.0.0.1:9", options), hermetic.UnreachableError);
  await assert.rejects(hermetic.connect("ftp://example.com", options), hermetic.InputError);
  await assert.rejects(hermetic.connect(`${url}/nowhere`, options), hermetic.HermeticError);
});

test("a model without probabilities, and input out of range, are refused here", async () => {
  const model = await hermetic.connect(url, { model: "tumours", token });
  const sample = (tumours["X"] as number[][])[0]!;
  await assert.rejects(
    model.predict(sample.map((one) => one + 1000)),
    /must be between .* Got .* \(sample 0, feature 0\)/,
  );
  await assert.rejects(model.predict(sample.slice(1)), /must have 30 features/);
  assert.equal(typeof (await model.predict(sample)), "string");
});

test("a key that the service lost is uploaded again", async () => {
  const model = await hermetic.connect(url, { model: "digits", token });
  const sample = (digits["X"] as number[][])[0]!;
  const before = await model.predict(sample);
  const headers = { Authorization: `Bearer ${token}` };
  const deleted = await fetch(`${url}/keys/${model.keyId}`, { method: "DELETE", headers });
  assert.equal(deleted.status, 204);
  assert.equal(await model.predict(sample), before);
});

test("a key kept under a passphrase is used again, and needs the passphrase", async () => {
  const keyStore = new MemoryStore();
  const options = { model: "digits", token, passphrase: "correct horse", keyStore };
  const first = await hermetic.connect(url, options);
  const second = await hermetic.connect(url, options);
  assert.equal(second.keyId, first.keyId);
  const sample = (digits["X"] as number[][])[0]!;
  const query = await first.encrypt(sample);
  const { result } = await first.ask(query);
  assert.deepEqual(await second.decrypt(query, result), await first.decrypt(query, result));
  await assert.rejects(hermetic.connect(url, { ...options, passphrase: "wrong" }), hermetic.KeyStoreError);
  await hermetic.forgetKeys(url, keyStore);
  assert.equal(keyStore.keys.size, 0);
});

test("an answer to another query is refused", async () => {
  const model = await hermetic.connect(url, { model: "digits", token });
  const sample = (digits["X"] as number[][])[0]!;
  const [one, other] = [await model.encrypt(sample), await model.encrypt(sample)];
  const { result } = await model.ask(one);
  await assert.rejects(model.decrypt(other, result), /must answer the query that was sent/);
});

/** The real service, but for its first answer: that no longer decrypts within the noise bound. */
async function forging(): Promise<{ url: string; answers: string[]; close(): void }> {
  const answers: string[] = [];
  const front = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const headers = new Headers(Object.entries(request.headers) as [string, string][]);
    for (const name of ["host", "connection", "content-length"]) headers.delete(name);
    const body = chunks.length > 0 ? Buffer.concat(chunks) : null;
    const answer = await fetch(url + request.url, { method: request.method!, headers, body });
    const data = Buffer.from(await answer.arrayBuffer());
    if (request.url!.endsWith("/infer") && answer.ok && answers.push(request.url!) === 1) forge(data);
    const length = answer.headers.get("inference-header-content-length");
    response.writeHead(answer.status, length === null ? {} : { "inference-header-content-length": length });
    response.end(data);
  });
  await new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve));
  const { port } = front.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, answers, close: () => void front.close() };
}

function forge(data: Buffer): void {
  const envelope = data.subarray(data.indexOf("HRMT"));
  const end = envelope.length - 32;
  for (let i = end - 600; i < end - 500; i++) envelope[i]! ^= 255;
  createHash("sha256").update(envelope.subarray(0, end)).digest().copy(envelope, end);
}

test("a service that forges an answer sees the whole call nevertheless", async () => {
  const front = await forging();
  const model = await hermetic.connect(front.url, { model: "digits", token });
  const X = digits["X"] as number[][];
  const many = Array.from({ length: 150 }, (_, i) => X[i % X.length]!);
  await assert.rejects(model.predict(many), hermetic.DecryptionError);
  assert.equal(front.answers.length, 3);
  assert.equal((await model.predict(many)).length, 150);
  model.close();
  front.close();
});

test("a request that takes too long has its message", async () => {
  const silent = createServer(() => {});
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const { port } = silent.address() as AddressInfo;
  try {
    const impatient = hermetic.connect(`http://127.0.0.1:${port}`, { model: "digits", timeout: 200, retries: 0 });
    await assert.rejects(impatient, hermetic.RemoteTimeoutError);
  } finally {
    silent.closeAllConnections();
    silent.close();
  }
});

test("the example of the README runs, on the built package", async () => {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const example = readFileSync(join(root, "examples", "predict.mjs"), "utf8");
  assert.ok(readFileSync(join(root, "README.md"), "utf8").includes(`\`\`\`js\n${example}\`\`\``));
  execFileSync("tsc", ["-p", join(root, "tsconfig.build.json")]);
  const sample = (tumours["X"] as number[][])[0]!;
  const { stdout } = await promisify(execFile)("node", [
    join(root, "examples", "predict.mjs"),
    url,
    "tumours",
    token,
    ...sample.map(String),
  ]);
  const { labels } = await oracle
    .call("make", { kind: "cancer", name: "tumours" })
    .then(() => oracle.call("reference", { X: sample }));
  assert.match(stdout, new RegExp(`^label: ${labels[0]}\n`));
});

test("a rate limit is said to be one, and is waited for if that takes only a moment", async () => {
  const limited = await Server.start([models], "--rate", "1/second", "--quota", "3/day");
  try {
    const model = await hermetic.connect(limited.url, { model: "tumours" });
    const sample = (tumours["X"] as number[][])[0]!;
    const [first, second] = [await model.predict(sample), await model.predict(sample)];
    assert.equal(first, second);
    const impatient = await hermetic.connect(limited.url, { model: "tumours", retries: 0 });
    const answers = await Promise.allSettled([1, 2, 3].map(() => impatient.predict(sample)));
    const refused = answers.filter((one) => one.status === "rejected").map((one) => one.reason as Error);
    assert.ok(refused.length >= 2); // what the day has left is one
    for (const error of refused) {
      assert.ok(error instanceof hermetic.BusyError, String(error));
      assert.equal(error.status, 429);
      assert.ok(error.retryAfter! >= 1);
    }
  } finally {
    await limited.stop();
  }
});

test("a model that was replaced is said to have changed", async () => {
  const model = await hermetic.connect(url, { model: "digits", token });
  await publish("digits", 2, { kind: "huber" });
  const sample = (digits["X"] as number[][])[0]!;
  const deadline = Date.now() + 120_000;
  let error: unknown;
  while (error === undefined && Date.now() < deadline) {
    error = await model.predict(sample).then(
      () => new Promise((resolve) => setTimeout(resolve, 200)),
      (caught: unknown) => caught,
    );
  }
  assert.ok(error instanceof hermetic.SignatureChangedError, String(error));
  assert.match(error.message, /must be the one connected to. It changed .* Connect again/);
  assert.equal(
    (await hermetic.connect(url, { model: "digits", token })).signature.digest === model.signature.digest,
    false,
  );
});
