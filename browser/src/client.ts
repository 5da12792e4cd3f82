/** The data owner's side: encrypt inputs, decrypt answers. Synchronous stretches of it take ms: run it in a worker. */
import { type Bytes, fromHex, randomBytes, toHex } from "./bytes.ts";
import { DecryptionError, MismatchError } from "./errors.ts";
import { type Layout, chunks, forEachTarget, packSamples, queryPolynomials } from "./packing.ts";
import { rescaleFactor } from "./parameters.ts";
import { type InputOptions, recombine } from "./quantize.ts";
import { type Polynomial, add, centredInteger, scale } from "./residues.ts";
import type { Samples } from "./samples.ts";
import type { SecretKey } from "./secret-key.ts";
import { QUERY_DOMAIN, SEED_BYTES, expand } from "./seeds.ts";
import { type Signature, layoutFor } from "./signature.ts";
import type { Query, Result } from "./wire.ts";

/** Called while a long batch is encrypted, in ciphertexts. */
export type Progress = (done: number, total: number) => void;

/**
 * Encrypts samples and decrypts answers for one model.
 *
 * Do not publish decrypted scores together with the ciphertexts they came from: exact decryptions of chosen ciphertexts
 * help an attacker against the key (Li and Micciancio, EUROCRYPT 2021).
 */
export class Client {
  /** Throws MismatchError if the secret key has other parameters than the model. */
  constructor(
    readonly signature: Signature,
    readonly secretKey: SecretKey,
    private readonly options: InputOptions = {},
  ) {
    if (secretKey.parameters !== signature.parameters) {
      throw new MismatchError(
        `the secret key must use the parameters ${signature.parameters.profile} of model ${signature.name}. ` +
          `Got ${secretKey.parameters.profile} instead.`,
      );
    }
  }

  /**
   * Encrypt samples: fresh ciphertexts, so encrypting the same input twice gives different bytes.
   *
   * The query shows the server the number of samples, the layout, the model's signature and the public key's id. Throws
   * InputError for values that the signature's grid does not hold.
   */
  async encrypt(samples: Samples, progress?: Progress): Promise<Query> {
    const { signature, secretKey } = this;
    const integers = signature.grid.quantize(samples.values, this.options, signature.featureNames);
    const layout = layoutFor(signature, samples.count);
    const seed = randomBytes(SEED_BYTES);
    const batch = {
      signature: fromHex(signature.digest),
      key: fromHex(secretKey.keyId),
      query: seed,
      samples: samples.count,
      layout,
      vector: samples.vector,
    };
    return { parameters: signature.parameters, batch, c0: await this.#encrypt(integers, layout, seed, progress) };
  }

  async #encrypt(integers: Float64Array, layout: Layout, seed: Bytes, progress?: Progress): Promise<Polynomial[]> {
    const { parameters, features } = this.signature;
    const perChunk = layout.samples * features;
    const total = chunks(layout, integers.length / features) * queryPolynomials(layout, features);
    const c0: Polynomial[] = [];
    for (let start = 0; start < integers.length; start += perChunk) {
      for (const polynomial of packSamples(integers.subarray(start, start + perChunk), features, layout)) {
        const c1 = await expand(QUERY_DOMAIN, seed, c0.length, parameters, parameters.dataPrimes);
        const message = this.#message(polynomial);
        const zero = this.secretKey.ringKey.encryptZero(c1);
        c0.push(zero.map((row, i) => (i < message.length ? add(row, message[i]!, parameters.dataPrimes[i]!) : row)));
        progress?.(c0.length, total);
      }
    }
    return c0;
  }

  /** delta·P times a polynomial, in evaluation form modulo the kept primes; it is zero modulo the dropped ones. */
  #message(polynomial: Float64Array): Polynomial {
    const { parameters, delta } = this.signature;
    const factor = delta * rescaleFactor(parameters);
    return this.secretKey.ring.ntt(parameters.keptPrimes.map((prime) => scale(polynomial, factor, prime)));
  }

  /**
   * The scores (n, k) in row order, each within `signature.error` of the estimator's.
   *
   * Throws MismatchError if the result answers another key or model, and DecryptionError if it does not decrypt within
   * the noise bound.
   */
  decrypt(result: Result): Float64Array {
    const { integerOutputs, limbs, limbBits, outputs, scaleExponent } = this.signature;
    const integers = this.decryptIntegers(result);
    const scores = new Float64Array(result.batch.samples * outputs);
    for (let i = 0; i < result.batch.samples; i++) {
      const one = integers.subarray(i * integerOutputs, (i + 1) * integerOutputs);
      scores.set(recombine(one, limbs, limbBits, scaleExponent), i * outputs);
    }
    return scores;
  }

  /** The integer results (n, k·limbs), equal bit for bit to the integer reference. Throws as {@link decrypt}. */
  decryptIntegers(result: Result): BigInt64Array {
    this.#checkBelongs(result);
    const { parameters, delta, resultBits, resultNoise, integerOutputs } = this.signature;
    const { layout, samples } = result.batch;
    const masks = result.c1.map((c1) => this.#timesSecret(c1));
    const centred = centredInteger(parameters.keptPrimes);
    const limit = 1n << BigInt(resultBits - 1);
    const out = new BigInt64Array(samples * integerOutputs);
    let word = 0;
    forEachTarget(layout, samples, integerOutputs, (polynomial, coefficient, sample, output) => {
      const residues = parameters.keptPrimes.map(
        (prime, i) => (masks[polynomial]![i]![coefficient]! + result.words[i]![word]!) % prime,
      );
      word++;
      const phase = centred(residues);
      const nearest = floorDivide(phase + delta / 2n, delta);
      const noise = phase - nearest * delta;
      if (noise > resultNoise || -noise > resultNoise || nearest >= limit || nearest <= -limit) {
        throw new DecryptionError(
          "the result must decrypt within its noise bound. It does not: it was damaged, forged, or computed under " +
            "another key.",
        );
      }
      out[sample * integerOutputs + output] = nearest;
    });
    return out;
  }

  #timesSecret(c1: Polynomial): Polynomial {
    const { ring, ringKey } = this.secretKey;
    return ring.intt(ringKey.times(ring.ntt(c1)));
  }

  #checkBelongs(result: Result): void {
    const { signature, secretKey } = this;
    if (toHex(result.batch.signature) !== signature.digest) {
      throw new MismatchError(`the result must come from model ${signature.name}. It comes from another.`);
    }
    const key = toHex(result.batch.key);
    if (key !== secretKey.keyId) {
      throw new MismatchError(
        `the result must answer the key ${secretKey.keyId.slice(0, 16)}…. Got an answer to ${key.slice(0, 16)}… instead.`,
      );
    }
  }
}

function floorDivide(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  return value < 0n && quotient * divisor !== value ? quotient - 1n : quotient;
}
