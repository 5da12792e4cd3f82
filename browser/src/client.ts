/** The data owner's side: encrypt inputs, decrypt answers. Synchronous stretches of it take ms: run it in a worker. */
import { type Bytes, fromHex, randomBytes, toHex } from "./bytes.ts";
import { DecryptionError, MismatchError } from "./errors.ts";
import { intervalsOf } from "./feature-map.ts";
import { type Layout, chunks, forEachTarget, packSamples, queryPolynomials } from "./packing.ts";
import { rescaleFactor } from "./parameters.ts";
import { type InputOptions, recombine } from "./quantize.ts";
import { type Polynomial, add, centredInteger, scale } from "./residues.ts";
import type { Samples } from "./samples.ts";
import type { SecretKey } from "./secret-key.ts";
import { QUERY_DOMAIN, SEED_BYTES, expand } from "./seeds.ts";
import { type LinearSignature, type Signature, type TreeSignature, encryptedValues, layoutFor } from "./signature.ts";
import { openSample, recombineTrees } from "./tree-answers.ts";
import { bitsOf } from "./trees.ts";
import type { LinearResult, Query, Result, TreeResult } from "./wire.ts";

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
    const integers = this.#encrypted(samples);
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

  /** The whole numbers that are encrypted (n, d): steps of the grid, or bits of intervals. */
  #encrypted(samples: Samples): Float64Array {
    const { signature, options } = this;
    if (signature.kind === "linear") return signature.grid.quantize(samples.values, options, signature.featureNames);
    return bitsOf(signature.circuit, intervalsOf(signature.intervals, samples.values, signature.featureNames));
  }

  async #encrypt(integers: Float64Array, layout: Layout, seed: Bytes, progress?: Progress): Promise<Polynomial[]> {
    const { parameters } = this.signature;
    const features = encryptedValues(this.signature);
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

  /** A polynomial at the scale of queries, in evaluation form: delta·P is zero modulo the primes that are dropped. */
  #message(polynomial: Float64Array): Polynomial {
    const { parameters } = this.signature;
    const [factor, primes] =
      this.signature.kind === "linear"
        ? [this.signature.delta * rescaleFactor(parameters), parameters.keptPrimes]
        : [this.signature.circuit.delta, parameters.dataPrimes];
    return this.secretKey.ring.ntt(primes.map((prime) => scale(polynomial, factor, prime)));
  }

  /**
   * The scores (n, k) in row order, each within `signature.error` of the estimator's.
   *
   * Throws MismatchError if the result answers another key or model, and DecryptionError if it does not decrypt within
   * the noise bound.
   */
  async decrypt(result: Result): Promise<Float64Array> {
    const { signature } = this;
    const integers = await this.decryptIntegers(result);
    if (signature.kind === "trees") {
      const k = integers.length / result.batch.samples;
      const rows = Array.from({ length: result.batch.samples }, (_, i) =>
        recombineTrees(signature.circuit, Array.from(integers.subarray(i * k, (i + 1) * k), Number)),
      );
      return Float64Array.from(rows.flatMap((row) => Array.from(row)));
    }
    const { integerOutputs, limbs, limbBits, outputs, scaleExponent } = signature;
    const scores = new Float64Array(result.batch.samples * outputs);
    for (let i = 0; i < result.batch.samples; i++) {
      const one = integers.subarray(i * integerOutputs, (i + 1) * integerOutputs);
      scores.set(recombine(one, limbs, limbBits, scaleExponent), i * outputs);
    }
    return scores;
  }

  /** The integer results (n, k·limbs), equal bit for bit to the integer reference. Throws as {@link decrypt}. */
  async decryptIntegers(result: Result): Promise<BigInt64Array> {
    this.#checkBelongs(result);
    const { signature } = this;
    if (result.kind === "trees" && signature.kind === "trees") return this.#openTrees(result, signature);
    if (result.kind === "linear" && signature.kind === "linear") return this.#decryptLinear(result, signature);
    throw new MismatchError("the result must be one of the signature's circuit.");
  }

  async #openTrees(result: TreeResult, { circuit, parameters }: TreeSignature): Promise<BigInt64Array> {
    const found: number[] = [];
    for (const [number, answers] of result.answers.entries()) {
      const open = openSample(answers, circuit, parameters, result.batch.query, number, (c1) => this.#timesSecret(c1));
      found.push(...(await open));
    }
    return BigInt64Array.from(found, BigInt);
  }

  #decryptLinear(result: LinearResult, signature: LinearSignature): BigInt64Array {
    const { parameters, delta, resultBits, resultNoise, integerOutputs } = signature;
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
