/**
 * Public uniform polynomials from a seed.
 *
 * The uniform half of every ciphertext and public key is public and travels as a 32-byte seed, so nobody can choose it.
 * The stream is AES-256 in counter mode under SHA-256(domain | parameter digest | seed | polynomial | row). Residues are
 * its successive little-endian 64-bit words, cut to the prime's bit length; a word that is not below the prime is skipped.
 */
import { type Bytes, concat, fromHex, sha256, subtle } from "./bytes.ts";
import { type Parameters, bitLength } from "./parameters.ts";
import type { Polynomial, Residues } from "./residues.ts";

export const SEED_BYTES = 32;
export const QUERY_DOMAIN = "hermetic query 1";
export const PUBLIC_KEY_DOMAIN = "hermetic pubkey 1";

const BLOCK_BYTES = 16;
const TWO_32 = 2 ** 32;

/** The uniform polynomial number `index` of a seed, one row of residues a prime. */
export async function expand(
  domain: string,
  seed: Uint8Array,
  index: number,
  parameters: Parameters,
  primes: readonly number[],
): Promise<Polynomial> {
  const prefix = concat(new TextEncoder().encode(domain), fromHex(parameters.digest), seed, little32(index));
  return Promise.all(
    primes.map(async (prime, row) => {
      const key = await sha256(concat(prefix, little32(row)));
      return uniform(key, parameters.ringDegree, prime);
    }),
  );
}

function little32(value: number): Bytes {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setUint32(0, value, true);
  return out;
}

async function uniform(key: Bytes, count: number, prime: number): Promise<Residues> {
  const cipher = await subtle().importKey("raw", key, "AES-CTR", false, ["encrypt"]);
  const out = new Float64Array(count);
  const highMask = Math.floor((2 ** bitLength(prime) - 1) / TWO_32);
  const lowMask = Math.min(2 ** bitLength(prime), TWO_32) - 1;
  let accepted = 0;
  for (let round = 0; accepted < count; round++) {
    const words = await keystream(cipher, (round * 8 * count) / BLOCK_BYTES, 8 * count);
    for (let i = 0; i < words.length && accepted < count; i += 2) {
      const word = (words[i + 1]! & highMask) * TWO_32 + ((words[i]! & lowMask) >>> 0);
      if (word < prime) out[accepted++] = word;
    }
  }
  return out;
}

async function keystream(cipher: CryptoKey, block: number, length: number): Promise<Uint32Array> {
  const counter = new Uint8Array(BLOCK_BYTES);
  new DataView(counter.buffer).setUint32(BLOCK_BYTES - 4, block);
  const stream = await subtle().encrypt({ name: "AES-CTR", counter, length: 128 }, cipher, new Uint8Array(length));
  return new Uint32Array(stream);
}
