import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";

import { FAST, PRECISE } from "../src/parameters.ts";
import { add, centredInteger, scale, subtract } from "../src/residues.ts";

const primes = fc.constantFrom(...FAST.keyPrimes, ...PRECISE.keyPrimes);
const pairs = primes.chain((prime) =>
  fc.tuple(fc.constant(prime), fc.integer({ min: 0, max: prime - 1 }), fc.integer({ min: 0, max: prime - 1 })),
);

function mod(value: bigint, modulus: number): number {
  const m = BigInt(modulus);
  return Number(((value % m) + m) % m);
}

test("sums and differences are those of whole numbers modulo the prime", () => {
  fc.assert(
    fc.property(pairs, ([prime, a, b]) => {
      assert.equal(add(Float64Array.of(a), Float64Array.of(b), prime)[0], mod(BigInt(a) + BigInt(b), prime));
      assert.equal(subtract(Float64Array.of(a), Float64Array.of(b), prime)[0], mod(BigInt(a) - BigInt(b), prime));
    }),
  );
});

test("scaling is exact for factors of any size and values of either sign", () => {
  fc.assert(
    fc.property(primes, fc.bigInt({ min: 0n, max: 2n ** 150n }), fc.maxSafeInteger(), (prime, factor, value) => {
      assert.equal(scale(Float64Array.of(value), factor, prime)[0], mod(factor * BigInt(value), prime));
    }),
  );
});

test("a centred integer comes back from its residues", () => {
  for (const set of [FAST.keptPrimes, PRECISE.keptPrimes]) {
    const modulus = set.reduce((total, prime) => total * BigInt(prime), 1n);
    const integer = centredInteger(set);
    fc.assert(
      fc.property(fc.bigInt({ min: -(modulus / 2n), max: modulus / 2n }), (value) => {
        assert.equal(integer(set.map((prime) => mod(value, prime))), value);
      }),
    );
  }
});
