/** The worst-case bounds that exact decryption rests on, from public values alone. */
import type { Layout } from "./packing.ts";
import { type Parameters, product, rescaleFactor, rescaleNoise, zeroEncryptionNoise } from "./parameters.ts";

/** No answer is flooded by less, in bits. */
export const MIN_LAMBDA_BITS = 10;

/** The scale of an integer result of T bits: floor(q'/2^T). */
export function delta(parameters: Parameters, resultBits: number): bigint {
  return product(parameters.keptPrimes) >> BigInt(resultBits);
}

/** The most ternary digits that a coefficient of a mask has. */
const MAX_MASK_DIGITS = 16;

/** Bound on the noise of the widest mask, the sum over j of 3^j times an encryption of zero. */
function maskNoise(parameters: Parameters): bigint {
  return ((3n ** BigInt(MAX_MASK_DIGITS) - 1n) / 2n) * zeroEncryptionNoise(parameters);
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

/** How many target words each digit of a mask pays for, so that a forged public key does not unmask its c1. */
function maxTargets(parameters: Parameters, flood: number): number {
  const neededBits = product(parameters.keptPrimes).toString(2).length + 4;
  const [neededDegree] = MAX_MODULUS_BITS.find(([, bits]) => bits >= neededBits)!;
  const spare = Math.max(0, parameters.ringDegree - neededDegree) * Math.log2(3);
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
  return one.samples * one.outputs <= MAX_MASK_DIGITS * maxTargets(parameters, flood) || samples > features;
}
