import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";

import { InputError } from "../src/errors.ts";
import { Grid, recombine, roundHalfToEven } from "../src/quantize.ts";

const pixels = new Grid(
  Float64Array.of(0, 0),
  Float64Array.of(1 / 255, 1 / 255),
  Float64Array.of(0, 0),
  Float64Array.of(255, 255),
  true,
);
const reals = new Grid(Float64Array.of(10), Float64Array.of(0.25), Float64Array.of(-8), Float64Array.of(8), false);

test("rounding is half to even", () => {
  const cases = [
    [0.5, 0],
    [1.5, 2],
    [2.5, 2],
    [-0.5, 0],
    [-1.5, -2],
    [0.49999999999999994, 0],
    [2 ** 52 + 1, 2 ** 52 + 1],
  ];
  for (const [value, rounded] of cases) assert.equal(roundHalfToEven(value!) + 0, rounded);
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      assert.ok(Math.abs(roundHalfToEven(value) - value) <= 0.5);
    }),
  );
});

test("grid points and values between them", () => {
  assert.deepEqual(pixels.quantize(Float64Array.of(0, 1)), Float64Array.of(0, 255));
  assert.deepEqual(
    pixels.quantize(Float64Array.of(Math.fround(1 / 255), Math.fround(200 / 255))),
    Float64Array.of(1, 200),
  );
  assert.deepEqual(reals.quantize(Float64Array.of(10.1)), Float64Array.of(0));
  assert.deepEqual(reals.quantize(Float64Array.of(8.1)), Float64Array.of(-8));
});

test("what the grid does not hold is refused, with a message that says what to do", () => {
  assert.throws(
    () => pixels.quantize(Float64Array.of(0, Number.NaN)),
    /must be finite. Got NaN \(sample 0, feature 1\)/,
  );
  assert.throws(
    () => pixels.quantize(Float64Array.of(0, 0, 2, 0)),
    /feature 0 must be between 0 and 1. Got 2 \(sample 1/,
  );
  assert.throws(() => pixels.quantize(Float64Array.of(0.3001, 0)), /plus a multiple of 0.00392157.*roundInputs/);
  assert.throws(() => reals.quantize(Float64Array.of(12.2)), InputError);
});

test("clip and roundInputs use the nearest value instead", () => {
  assert.deepEqual(pixels.quantize(Float64Array.of(2, -1), { clip: true }), Float64Array.of(255, 0));
  assert.deepEqual(pixels.quantize(Float64Array.of(0.3001, 0), { roundInputs: true }), Float64Array.of(77, 0));
  assert.throws(() => pixels.quantize(Float64Array.of(Number.POSITIVE_INFINITY, 0), { clip: true }), InputError);
});

test("limbs recombine with one rounding to float64", () => {
  assert.deepEqual(recombine(BigInt64Array.of(3n, -4n, 1n, 2n), 2, 10, 12), Float64Array.of(1027 / 4096, 2044 / 4096));
  assert.deepEqual(recombine(BigInt64Array.of(2n ** 60n + 1n), 1, 0, 60), Float64Array.of(1));
});
