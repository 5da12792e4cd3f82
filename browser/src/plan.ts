/** Which layout to use: the estimate by which every client chooses, so that all of them send the same number of bytes. */
import { packedBytes } from "./bitpacking.ts";
import { type Layout, chunks, queryPolynomials, resultPolynomials } from "./packing.ts";
import { type Parameters, bitLength } from "./parameters.ts";

const REFERENCE_WORDS = 4096 * 2;
const ENCRYPT_MS = 1.0;
const PRODUCT_MS = 0.1;
const BULK_PRODUCT_MS = 0.05;
const BULK_RESULT_MS = 0.9;
const BULK_SAMPLES = 64;
const ZERO_MS = 1.0;
const ANSWER_MS = 1.0;
const MASK_SHARE = 40;
const BYTES_PER_MS = 12_500;

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function estimatedMs(parameters: Parameters, one: Layout, features: number, outputs: number, samples: number): number {
  const n = parameters.ringDegree;
  const up = chunks(one, samples) * queryPolynomials(one, features);
  const down = chunks(one, samples) * resultPolynomials(one, outputs);
  const products = up * resultPolynomials(one, outputs);
  const request = up * sum(parameters.dataPrimes.map((prime) => packedBytes(n, bitLength(prime))));
  const response = sum(
    parameters.keptPrimes.map((prime) => {
      const width = bitLength(prime);
      return down * packedBytes(n, width) + packedBytes(samples * outputs, width);
    }),
  );
  const size = (n * parameters.dataPrimes.length) / REFERENCE_WORDS;
  const bulk = one.samples >= BULK_SAMPLES;
  const multiply = bulk ? products * BULK_PRODUCT_MS + down * BULK_RESULT_MS : products * PRODUCT_MS;
  const digits = samples > features ? 1 : Math.ceil((one.samples * one.outputs * MASK_SHARE) / n);
  const work = size * (up * ENCRYPT_MS + multiply + down * (ANSWER_MS + digits * ZERO_MS));
  return work + (request + response) / BYTES_PER_MS;
}

/** The layout that answers `samples` samples at the least estimated time; the first of equals. */
export function cheapest(
  parameters: Parameters,
  layouts: readonly Layout[],
  features: number,
  outputs: number,
  samples: number,
): Layout {
  const costs = layouts.map((one) => estimatedMs(parameters, one, features, outputs, samples));
  return layouts[costs.indexOf(Math.min(...costs))]!;
}
