import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";

import { pack, packedBytes, unpack } from "../src/bitpacking.ts";
import { WireError } from "../src/errors.ts";

const sequences = fc.integer({ min: 1, max: 50 }).chain((width) =>
  fc.tuple(
    fc.constant(width),
    fc.array(
      fc.maxSafeNat().map((value) => value % 2 ** width),
      { maxLength: 300 },
    ),
  ),
);

/** The definition: word i occupies bits i·w to i·w + w - 1 of one little-endian number. */
function reference(words: readonly number[], width: number): Uint8Array {
  const number = words.reduce((total, word, i) => total | (BigInt(word) << BigInt(i * width)), 0n);
  return Uint8Array.from({ length: packedBytes(words.length, width) }, (_, i) =>
    Number((number >> BigInt(8 * i)) & 255n),
  );
}

test("packing is the little-endian bit string of the definition, and unpacking its inverse", () => {
  fc.assert(
    fc.property(sequences, ([width, words]) => {
      const packed = pack(Float64Array.from(words), width);
      assert.deepEqual(packed, reference(words, width));
      assert.deepEqual(Array.from(unpack(packed, words.length, width)), words);
    }),
  );
});

test("lengths are padded to whole 64-bit limbs that hold whole words", () => {
  assert.equal(packedBytes(4096, 50), 25600);
  assert.equal(packedBytes(4096, 17), 8704);
  assert.equal(packedBytes(1, 50), 200);
  assert.equal(packedBytes(0, 50), 0);
});

test("a wrong length and a set padding bit are refused", () => {
  const packed = pack(Float64Array.of(1, 2, 3), 50);
  assert.throws(() => unpack(packed.subarray(1), 3, 50), WireError);
  assert.throws(() => unpack(packed, 40, 50), WireError);
  for (const bit of [150, 151, 1000, 8 * packed.length - 1]) {
    const damaged = packed.slice();
    damaged[bit >> 3]! ^= 1 << (bit & 7);
    assert.throws(() => unpack(damaged, 3, 50), /padding bits/);
  }
});
