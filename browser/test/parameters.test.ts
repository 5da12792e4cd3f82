import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { PROFILES, parametersFor } from "../src/parameters.ts";
import { fromHex } from "../src/bytes.ts";
import { WireError } from "../src/errors.ts";

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
