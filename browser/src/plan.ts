/** Which layout to use: the estimate by which every client chooses, so that all of them send the same number of bytes. */
import { packedBytes } from "./bitpacking.ts";
import { type Layout, chunks, queryPolynomials, resultPolynomials } from "./packing.ts";
import { type Parameters, bitLength } from "./parameters.ts";

const REFERENCE_WORDS = 4096 * 2;
const ENCRYPT_MS = 0.5;
const PRODUCT_MS = 0.01;
const ANSWER_MS = 0.2;
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
  const work = size * (up * ENCRYPT_MS + products * PRODUCT_MS + down * ANSWER_MS);
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
