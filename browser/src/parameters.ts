/** The two RLWE parameter sets, both of 128-bit security by the Homomorphic Encryption Standard (2018), table 1. */
import { UnsupportedError, WireError } from "./errors.ts";
import { toHex } from "./bytes.ts";

/** A parameter set: polynomials modulo X^N + 1, and the primes of queries, results and public keys. */
export interface Parameters {
  readonly profile: string;
  /** 16 bytes, in hexadecimal, that name this set; they travel with every object. */
  readonly digest: string;
  /** N. */
  readonly ringDegree: number;
  /** The primes of a result's modulus q'. Every prime is below 2^50, so that float64 holds residues exactly. */
  readonly keptPrimes: readonly number[];
  /** The primes of a query's modulus q: those of q', then the ones that rescaling divides away. */
  readonly dataPrimes: readonly number[];
  /** The primes of a public key's modulus: those of q and SEAL's special prime. */
  readonly keyPrimes: readonly number[];
}

function parameters(
  profile: string,
  digest: string,
  ringDegree: number,
  kept: number[],
  dropped: number[],
  special: number,
): Parameters {
  const data = [...kept, ...dropped];
  return { profile, digest, ringDegree, keptPrimes: kept, dataPrimes: data, keyPrimes: [...data, special] };
}

/** N=4096, 50 + 42 bits: up to 36-bit results, the least bytes and time. */
export const FAST = parameters(
  "fast",
  "cd6760b00d17f0400f695231a8a2fcfb",
  4096,
  [1125899906826241],
  [4398046486529],
  114689,
);

/** N=8192, 100 + 50 bits: up to 62-bit results. */
export const PRECISE = parameters(
  "precise",
  "775726139a0111de14fbf37a1a5eefe1",
  8192,
  [1125899906826241, 1125899906629633],
  [1125899905744897],
  114689,
);

export const PROFILES: readonly Parameters[] = [FAST, PRECISE];

/** Digests of the sets of private networks. */
const NETWORKS: readonly string[] = [
  "26c5320936287830b3bdb64d6208a5e1",
  "43aa4e6cfe88775e7834851489f00ac8",
  "d70206aeb981d1a587cd72d0e359240d",
];

/** The profile with this digest. Throws UnsupportedError for those of networks, WireError if this version knows none. */
export function parametersFor(digest: Uint8Array): Parameters {
  const hex = toHex(digest);
  if (NETWORKS.includes(hex)) {
    throw new UnsupportedError(
      "the model must be linear, or of trees. It is a private network, whose keys are megabytes: ask it from Python.",
    );
  }
  const found = PROFILES.find((one) => one.digest === hex);
  if (found === undefined) {
    const known = PROFILES.map((one) => one.digest).join(", ");
    throw new WireError(
      `the parameter digest must be one of ${known}. Got ${hex} instead: it was made by another version of Hermetic.`,
    );
  }
  return found;
}

/** Bits of a positive integer below 2^53. */
export function bitLength(value: number): number {
  return value.toString(2).length;
}

export function product(primes: readonly number[]): bigint {
  return primes.reduce((total, prime) => total * BigInt(prime), 1n);
}

/** q/q', the product of the primes that rescaling divides away. */
export function rescaleFactor(one: Parameters): bigint {
  return product(one.dataPrimes) / product(one.keptPrimes);
}

/** What rounding adds to the phase of a result: (1 + ||s||_1)/2 per dropped prime. */
export function rescaleNoise(one: Parameters): bigint {
  const dropped = one.dataPrimes.length - one.keptPrimes.length;
  return BigInt((Math.floor((one.ringDegree + 1) / 2) + 1) * dropped);
}
