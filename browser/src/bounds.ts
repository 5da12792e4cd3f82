/** The worst-case bounds that exact decryption rests on, from public values alone. */
import type { Layout } from "./packing.ts";
import { type Parameters, product, rescaleFactor, rescaleNoise } from "./parameters.ts";

/** No answer is flooded by less, in bits. */
export const MIN_LAMBDA_BITS = 10;

/** The scale of an integer result of T bits: floor(q'/2^T). */
export function delta(parameters: Parameters, resultBits: number): bigint {
  return product(parameters.keptPrimes) >> BigInt(resultBits);
}

/** The bits of every coefficient of a mask, and the largest absolute coefficient of an error polynomial. */
const MASK_BITS = 26;
const MAX_ERROR = 21n;

/** Bound on the noise of a mask under an honest key, |u·e + e0 + e1·s|. */
export function maskNoise(parameters: Parameters): bigint {
  const n = BigInt(parameters.ringDegree);
  return MAX_ERROR * (n << BigInt(MASK_BITS - 1)) + MAX_ERROR + MAX_ERROR * n;
}

/** F: answers are flooded with uniform integers in [-2^(F-1), 2^(F-1)); 0 if the noise budget leaves no room. */
export function floodBits(parameters: Parameters, resultBits: number): number {
  const after = (delta(parameters, resultBits) - 1n) / 2n - rescaleNoise(parameters) - 1n;
  const budget = after * rescaleFactor(parameters) - maskNoise(parameters);
  const usable = budget > 0n ? (budget * 256n) / 257n : 0n;
  return usable > 0n ? usable.toString(2).length : 0;
}

/** Largest |noise| of an honest answer after rescaling. */
export function resultNoise(parameters: Parameters, flood: number, lambdaBits: number): bigint {
  const weighted = 1n << BigInt(flood - Math.floor(lambdaBits));
  const before = (1n << BigInt(flood - 1)) + weighted + maskNoise(parameters);
  return before / rescaleFactor(parameters) + 1n + rescaleNoise(parameters);
}

/** Largest log2 of the modulus, per ring degree, for 128 bits of security. */
const MAX_MODULUS_BITS = [
  [1024, 27],
  [2048, 54],
  [4096, 109],
  [8192, 218],
  [16384, 438],
  [32768, 881],
] as const;

/** How many target words a result polynomial may release, so that a forged public key does not unmask its c1. */
export function maxTargets(parameters: Parameters, flood: number): number {
  const neededBits = product(parameters.keptPrimes).toString(2).length + 4;
  const [neededDegree] = MAX_MODULUS_BITS.find(([, bits]) => bits >= neededBits)!;
  const spare = Math.max(0, parameters.ringDegree - neededDegree) * MASK_BITS;
  return Math.floor(spare / (Math.log2(Number(product(parameters.dataPrimes))) - flood));
}

/** Whether answers to `samples` samples in a layout keep the weights masked against a forged public key. */
export function layoutAllowed(
  parameters: Parameters,
  one: Layout,
  features: number,
  flood: number,
  samples: number,
): boolean {
  return one.samples * one.outputs <= maxTargets(parameters, flood) || samples > features;
}
