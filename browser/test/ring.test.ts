import assert from "node:assert/strict";
import { test } from "node:test";

import { FAST, PRECISE, type Parameters } from "../src/parameters.ts";
import { type Polynomial, add } from "../src/residues.ts";
import { Ring, RingSecretKey } from "../src/ring.ts";
import { PUBLIC_KEY_DOMAIN, QUERY_DOMAIN, expand } from "../src/seeds.ts";

const SEED = new Uint8Array(32).fill(7);
const MAX_ERROR = 21;

function centred(row: Float64Array, prime: number): Float64Array {
  return row.map((one) => (one > prime / 2 ? one - prime : one));
}

/** The noise of encryptions of zero: c0 + c1·s, in coefficients. */
function noise(
  ring: Ring,
  key: RingSecretKey,
  c0: Polynomial,
  c1: Polynomial,
  primes: readonly number[],
): Float64Array[] {
  const phase = key.times(c1).map((row, i) => add(row, c0[i]!, primes[i]!));
  return ring.intt(phase).map((row, i) => centred(row, primes[i]!));
}

function checkNoise(rows: readonly Float64Array[]): void {
  for (const row of rows) assert.deepEqual(row, rows[0]);
  assert.ok(rows[0]!.every((one) => Math.abs(one) <= MAX_ERROR));
  assert.ok(rows[0]!.filter((one) => one !== 0).length > rows[0]!.length / 2, "the error must not be missing");
}

for (const parameters of [FAST, PRECISE] satisfies Parameters[]) {
  const ring = await Ring.of(parameters);
  const key = new RingSecretKey(ring);

  test(`${parameters.profile}: transforms are inverse, and X becomes the 2N-th roots of unity`, () => {
    const x = parameters.dataPrimes.map(() =>
      Float64Array.from({ length: parameters.ringDegree }, (_, i) => Number(i === 1)),
    );
    const values = ring.ntt(x);
    assert.deepEqual(ring.intt(values), x);
    values.forEach((row, i) => {
      const prime = BigInt(parameters.dataPrimes[i]!);
      assert.equal(new Set(row).size, parameters.ringDegree);
      for (const value of row.subarray(0, 20))
        assert.equal(power(BigInt(value), BigInt(parameters.ringDegree), prime), prime - 1n);
    });
  });

  test(`${parameters.profile}: an encryption of zero has the given c1 and SEAL's own error`, async () => {
    const c1 = await expand(QUERY_DOMAIN, SEED, 0, parameters, parameters.dataPrimes);
    const first = key.encryptZero(c1);
    checkNoise(noise(ring, key, first, c1, parameters.dataPrimes));
    assert.notDeepEqual(key.encryptZero(c1), first);
  });

  test(`${parameters.profile}: a public key has the given a and SEAL's own error`, async () => {
    const a = await expand(PUBLIC_KEY_DOMAIN, SEED, 0, parameters, parameters.keyPrimes);
    checkNoise(noise(ring, key, key.publicKey(a), a, parameters.keyPrimes));
  });

  test(`${parameters.profile}: the secret key is ternary, and made again from its residues`, async () => {
    const [first] = ring.intt(key.rows().slice(0, 1));
    const prime = parameters.keyPrimes[0]!;
    assert.deepEqual([...new Set(centred(first!, prime))].sort(), [-1, 0, 1]);
    const again = new RingSecretKey(ring, key.rows());
    const c1 = await expand(QUERY_DOMAIN, SEED, 1, parameters, parameters.dataPrimes);
    assert.deepEqual(again.times(c1), key.times(c1));
  });
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  for (let square = base; exponent > 0n; exponent >>= 1n, square = (square * square) % modulus) {
    if (exponent & 1n) result = (result * square) % modulus;
  }
  return result;
}
