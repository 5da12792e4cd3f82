/** The vectors of the Python package: objects that every version, in every language, must still read. */
import assert from "node:assert/strict";
import { createDecipheriv, createHash, scryptSync } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

import { pack, unpack } from "../src/bitpacking.ts";
import { type Bytes, concat, fromHex, randomBytes, subtle, toHex } from "../src/bytes.ts";
import { Client } from "../src/client.ts";
import { chooseLabel } from "../src/links.ts";
import { PROFILES } from "../src/parameters.ts";
import type { Polynomial } from "../src/residues.ts";
import { Ring } from "../src/ring.ts";
import { type Input, type Samples, samplesOf } from "../src/samples.ts";
import { SecretKey } from "../src/secret-key.ts";
import { expand } from "../src/seeds.ts";
import { type Signature, mayBeMissing } from "../src/signature.ts";
import * as wire from "../src/wire.ts";
import { type Answer, Oracle, base64 } from "./oracle.ts";

const VECTORS = fileURLToPath(new URL("../../tests/vectors", import.meta.url));
/** Versions 3 and 4 are of private networks, which this client refuses: parameters.test.ts. */
const OF_NETWORKS = ["version-3", "version-4"];
const ALL = readdirSync(VECTORS).filter((name) => name.startsWith("version-"));
const VERSIONS = ALL.filter((name) => !OF_NETWORKS.includes(name));
const oracle = new Oracle();
after(() => oracle.close());

function bytesOf(...path: string[]): Bytes {
  return new Uint8Array(readFileSync(join(VECTORS, ...path)));
}

function json(...path: string[]): Answer {
  return JSON.parse(readFileSync(join(VECTORS, ...path), "utf8")) as Answer;
}

function profile(name: string): (typeof PROFILES)[number] {
  return PROFILES.find((one) => one.profile === name)!;
}

/** A key file of Python's, as the same key under the same passphrase in this client's form. */
async function fromPython(file: Bytes, passphrase: string): Promise<Bytes> {
  const [header, body, tag] = [file.subarray(0, 36), file.subarray(36, -16), file.subarray(-16)];
  const key = scryptSync(passphrase, header.subarray(8, 24), 32, { N: 2 ** 16, r: 8, p: 1, maxmem: 2 ** 28 });
  const decipher = createDecipheriv("aes-256-gcm", key, header.subarray(24)).setAAD(header).setAuthTag(tag);
  const plaintext = Buffer.concat([decipher.update(body), decipher.final()]);

  const [salt, nonce] = [randomBytes(16), randomBytes(12)];
  const mine = concat(new TextEncoder().encode("HRMB"), Uint8Array.of(1), salt, nonce);
  const base = await subtle().importKey("raw", new TextEncoder().encode(passphrase), "PBKDF2", false, ["deriveKey"]);
  const derivation = { name: "PBKDF2", hash: "SHA-256", salt, iterations: 600_000 };
  const cipher = await subtle().deriveKey(derivation, base, { name: "AES-GCM", length: 256 }, false, ["encrypt"]);
  const sealed = await subtle().encrypt({ name: "AES-GCM", iv: nonce, additionalData: mine }, cipher, plaintext);
  return concat(mine, new Uint8Array(sealed));
}

function digestOf(rows: Polynomial): string {
  const words = BigInt64Array.from(rows.flatMap((row) => Array.from(row, BigInt)));
  return createHash("sha256").update(new Uint8Array(words.buffer)).digest("hex");
}

test("there are vectors", () => {
  assert.deepEqual(ALL, ["version-1", "version-2", ...OF_NETWORKS]);
});

function inputsOf(signature: Signature, inputs: Input): Samples {
  return samplesOf(inputs, signature.features, null, (feature) => mayBeMissing(signature, feature));
}

for (const version of VERSIONS) {
  const names = readdirSync(join(VECTORS, version), { withFileTypes: true }).filter((one) => one.isDirectory());
  for (const { name } of names) {
    test(`${version}, ${name}: everything of Python's is read here, and written back as the same bytes`, async () => {
      const expected = json(version, name, "expected.json");
      const signature = await wire.signatureFromBytes(bytesOf(version, name, "signature.bin"));
      assert.equal(signature.digest, expected["signature"]);
      assert.deepEqual(await wire.signatureToBytes(signature), bytesOf(version, name, "signature.bin"));
      const sealed = await fromPython(bytesOf(version, name, "secret_key.bin"), expected["passphrase"]);
      const key = await SecretKey.open(sealed, expected["passphrase"]);
      assert.equal(key.keyId, expected["public_key"]);
      const client = new Client(signature, key);

      const samples = inputsOf(signature, expected["inputs"]);
      if (signature.kind === "linear") {
        assert.deepEqual(Array.from(signature.grid.quantize(samples.values)), expected["integer_inputs"].flat());
      }
      const query = bytesOf(version, name, "query.bin");
      assert.deepEqual(await wire.queryToBytes(await wire.queryFromBytes(query, signature)), query);
      const data = bytesOf(version, name, "result.bin");
      const result = await wire.resultFromBytes(data, signature);
      assert.ok(wire.sameBatch(query, data));
      assert.deepEqual(await wire.resultToBytes(result), data);
      assert.deepEqual(Array.from(await client.decryptIntegers(result), Number), expected["integers"].flat());
      const scores = await client.decrypt(result);
      assert.deepEqual(Array.from(scores), [expected["scores"]].flat(2));
      if (signature.labels !== null) {
        const k = signature.outputs;
        const labels = Array.from({ length: samples.count }, (_, i) =>
          chooseLabel(signature.method, signature.link, scores.subarray(i * k, (i + 1) * k), signature.labels!),
        );
        assert.deepEqual(labels, expected["predictions"]);
      }
    });

    test(`${version}, ${name}: what is encrypted here, Python answers and decrypts with the same key`, async () => {
      const expected = json(version, name, "expected.json");
      const signature = await wire.signatureFromBytes(bytesOf(version, name, "signature.bin"));
      const sealed = await fromPython(bytesOf(version, name, "secret_key.bin"), expected["passphrase"]);
      const client = new Client(signature, await SecretKey.open(sealed, expected["passphrase"]));
      const query = await client.encrypt(inputsOf(signature, expected["inputs"]));
      const home = join(VECTORS, version, name);
      const answered = await oracle.call("decrypt", { home, query: base64(await wire.queryToBytes(query)) });
      assert.deepEqual(answered, { integers: expected["integers"], scores: expected["scores"] });
    });
  }

  test(`${version}: seeds, transforms and packing give the same words`, async () => {
    const primitives = json(version, "primitives.json");
    assert.deepEqual(Object.fromEntries(PROFILES.map((one) => [one.profile, one.digest])), primitives["parameters"]);
    for (const one of primitives["expand"]) {
      const parameters = profile(one.profile);
      const primes = parameters.keyPrimes.slice(0, one.first.length);
      const rows = await expand(one.domain, fromHex(one.seed), one.index, parameters, primes);
      assert.deepEqual(
        rows.map((row) => Array.from(row.subarray(0, 4))),
        one.first,
      );
      assert.equal(digestOf(rows), one.sha256);
    }
    for (const one of primitives["ntt"]) {
      const parameters = profile(one.profile);
      const ring = await Ring.of(parameters);
      const squares = Float64Array.from({ length: parameters.ringDegree }, (_, i) => i * i);
      const rows = ring.ntt(parameters.dataPrimes.map(() => squares));
      assert.deepEqual(
        rows.map((row) => Array.from(row.subarray(0, 4))),
        one.first,
      );
      assert.equal(digestOf(rows), one.sha256);
    }
    for (const { width, words, bytes } of primitives["pack"]) {
      assert.equal(toHex(pack(Float64Array.from(words), width)), bytes);
      assert.deepEqual(Array.from(unpack(fromHex(bytes), words.length, width)), words);
    }
  });
}
