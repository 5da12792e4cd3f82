import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { PROFILES, parametersFor } from "../src/parameters.ts";
import { fromHex } from "../src/bytes.ts";
import { signatureFromBytes } from "../src/wire.ts";
import { UnsupportedError, WireError } from "../src/errors.ts";

test("digests are the SHA-256 of the numbers that they name", () => {
  for (const one of PROFILES) {
    const packed = Buffer.alloc(12 + 8 * one.keyPrimes.length);
    const dropped = one.dataPrimes.length - one.keptPrimes.length;
    [one.ringDegree, one.keptPrimes.length, dropped].forEach((value, i) => packed.writeUInt32LE(value, 4 * i));
    one.keyPrimes.forEach((prime, i) => packed.writeBigUInt64LE(BigInt(prime), 12 + 8 * i));
    const digest = createHash("sha256").update("hermetic parameters 1").update(packed).digest();
    assert.equal(one.digest, digest.subarray(0, 16).toString("hex"));
    assert.equal(parametersFor(fromHex(one.digest)), one);
  }
});

test("an unknown digest is refused", () => {
  assert.throws(() => parametersFor(new Uint8Array(16)), WireError);
});

test("private networks are refused by name, by the vectors' own signature", async () => {
  const home = new URL("../../tests/vectors/version-3/neurons/signature.bin", import.meta.url);
  const data = new Uint8Array(await readFile(home));
  await assert.rejects(signatureFromBytes(data), (error) => {
    assert.ok(error instanceof UnsupportedError);
    assert.match(error.message, /It is a private network, whose keys are megabytes: ask it from Python/);
    return true;
  });
});
