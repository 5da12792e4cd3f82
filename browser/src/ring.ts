/**
 * RLWE over arrays of residues: the only module that knows Microsoft SEAL (in WebAssembly, npm `node-seal`).
 *
 * A SEAL CKKS ciphertext is plain RLWE in evaluation (NTT) form, and decryption returns the phase c0 + c1·s without
 * rounding. Every operation on a secret is SEAL's: key generation, error sampling, encryptions of zero and products with
 * the secret key. The door is SEAL's uncompressed serialisation, built here from checked residues; SEAL never parses bytes
 * that came from elsewhere.
 *
 * The build of SEAL that allows transparent ciphertexts is used, because a transform of public polynomials goes through
 * ciphertexts that may have a zero half. Nothing that leaves here is made by SEAL's homomorphic operations on them.
 */
import { initialize } from "node-seal/allows";
import type {
  Ciphertext,
  ClassHandle,
  Decryptor,
  Encryptor,
  Evaluator,
  MainModule,
  Plaintext,
  SEALContext,
  SecretKey,
} from "node-seal/allows";

import { concat } from "./bytes.ts";
import { UnsupportedError } from "./errors.ts";
import type { Parameters } from "./parameters.ts";
import { type Polynomial, type Residues, subtract } from "./residues.ts";

const NTT_FLAG = 48;
const WORD_BYTES = 8;
const TWO_32 = 2 ** 32;

interface Saved extends ClassHandle {
  saveToArray(mode: { value: 0 }): Uint8Array;
}

/** Start SEAL. `wasm` is where its WebAssembly file is, for bundlers that move it; by default beside its script. */
export async function loadSeal(wasm?: string): Promise<MainModule> {
  if (typeof WebAssembly === "undefined") {
    throw new UnsupportedError("encryption needs WebAssembly. This browser has none, or the page's policy forbids it.");
  }
  return initialize(wasm === undefined ? {} : { locateFile: () => wasm });
}

function context(seal: MainModule, ringDegree: number, primes: readonly number[]): SEALContext {
  const literal = new seal.EncryptionParameters(seal.SchemeType.ckks);
  const moduli = new seal.VectorModulus();
  for (const prime of primes) {
    const modulus = new seal.Modulus(BigInt(prime));
    moduli.push_back(modulus);
    modulus.delete();
  }
  literal.setPolyModulusDegree(ringDegree);
  literal.setCoeffModulus(moduli);
  const made = new seal.SEALContext(literal, true, seal.SecLevelType.tc128);
  literal.delete();
  moduli.delete();
  if (!made.parametersSet()) throw new UnsupportedError("SEAL refuses these parameters.");
  return made;
}

/** Residues as SEAL's little-endian 64-bit words. */
function words(rows: Polynomial): Uint8Array {
  const length = rows[0]?.length ?? 0;
  const out = new Uint32Array(2 * length * rows.length);
  rows.forEach((row, r) => {
    for (let i = 0, at = 2 * r * length; i < length; i++, at += 2) {
      const word = row[i]!;
      const high = Math.floor(word / TWO_32);
      out[at] = word - high * TWO_32;
      out[at + 1] = high;
    }
  });
  return new Uint8Array(out.buffer);
}

/** The last `count` rows of N words of something that SEAL saved. */
function rows(data: Uint8Array, count: number, n: number): Residues[] {
  const tail = new Uint32Array(data.slice(data.length - count * n * WORD_BYTES).buffer);
  return Array.from({ length: count }, (_, r) => {
    const row = new Float64Array(n);
    for (let i = 0, at = 2 * r * n; i < n; i++, at += 2) row[i] = tail[at + 1]! * TWO_32 + tail[at]!;
    return row;
  });
}

/** One SEAL context with everything that is made once for it, and the prefixes of what SEAL saves. */
class Engine {
  readonly context: SEALContext;
  readonly evaluator: Evaluator;
  readonly zero: Plaintext;
  readonly ciphertext: Ciphertext;
  readonly plaintext: Plaintext;
  readonly #seal: MainModule;
  readonly #ciphertextPrefix: Uint8Array;
  readonly #coefficientPrefix: Uint8Array;
  readonly #secretKeyPrefix: Uint8Array;
  readonly #n: number;

  /** `dataPrimes` of the primes carry ciphertexts; the others, if any, only keys. */
  constructor(seal: MainModule, n: number, primes: readonly number[], dataPrimes: number) {
    this.#seal = seal;
    this.#n = n;
    this.context = context(seal, n, primes);
    this.evaluator = new seal.Evaluator(this.context);
    this.zero = new seal.Plaintext();
    this.ciphertext = new seal.Ciphertext();
    this.plaintext = new seal.Plaintext();
    const encoder = new seal.CKKSEncoder(this.context);
    encoder.encode(new Float64Array(encoder.slotCount()), 1, this.zero);
    encoder.delete();
    const key = this.freshKey();
    const encryptor = this.encryptor(key);
    encryptor.encryptSymmetric(this.zero, this.ciphertext);
    this.#ciphertextPrefix = this.#prefix(this.ciphertext, 2 * dataPrimes);
    this.#coefficientPrefix = this.#ciphertextPrefix.slice();
    this.#coefficientPrefix[NTT_FLAG] = 0;
    this.#secretKeyPrefix = this.#prefix(key, primes.length);
    encryptor.delete();
    key.delete();
  }

  #prefix(saved: ClassHandle, count: number): Uint8Array {
    const data = this.save(saved);
    return data.slice(0, data.length - count * this.#n * WORD_BYTES);
  }

  save(saved: ClassHandle): Uint8Array {
    return (saved as Saved).saveToArray(this.#seal.ComprModeType.none);
  }

  rows(saved: ClassHandle, count: number): Residues[] {
    return rows(this.save(saved), count, this.#n);
  }

  /** Fill {@link ciphertext} with (c0, c1). */
  load(c0: Polynomial, c1: Polynomial, form: "evaluation" | "coefficient"): Ciphertext {
    const prefix = form === "evaluation" ? this.#ciphertextPrefix : this.#coefficientPrefix;
    this.ciphertext.loadFromArray(this.context, concat(prefix, words(c0), words(c1)));
    return this.ciphertext;
  }

  /** A symmetric encryptor. SEAL's binding asks for a public key too, which is made for it and not used. */
  encryptor(key: SecretKey): Encryptor {
    const generator = new this.#seal.KeyGenerator(this.context, key);
    const unused = generator.createPublicKey();
    const encryptor = new this.#seal.Encryptor(this.context, unused, key);
    unused.delete();
    generator.delete();
    return encryptor;
  }

  freshKey(): SecretKey {
    const generator = new this.#seal.KeyGenerator(this.context);
    const key = generator.secretKey();
    generator.delete();
    return key;
  }

  secretKey(residues: Polynomial): SecretKey {
    const key = new this.#seal.SecretKey();
    key.loadFromArray(this.context, concat(this.#secretKeyPrefix, words(residues)));
    return key;
  }
}

/** Public operations of one parameter set. Making one takes tens of ms: use {@link Ring.of}. */
export class Ring {
  static readonly #made = new Map<string, Promise<Ring>>();

  readonly engine: Engine;
  readonly primeEngines: readonly Engine[];

  private constructor(
    readonly seal: MainModule,
    readonly parameters: Parameters,
  ) {
    const { ringDegree, keyPrimes, dataPrimes } = parameters;
    this.engine = new Engine(seal, ringDegree, keyPrimes, dataPrimes.length);
    this.primeEngines = keyPrimes.map((prime) => new Engine(seal, ringDegree, [prime], 1));
  }

  /** The ring of a parameter set, made once. */
  static of(parameters: Parameters, wasm?: string): Promise<Ring> {
    let ring = Ring.#made.get(parameters.profile);
    if (ring === undefined) {
      ring = loadSeal(wasm).then((seal) => new Ring(seal, parameters));
      ring.catch(() => Ring.#made.delete(parameters.profile));
      Ring.#made.set(parameters.profile, ring);
    }
    return ring;
  }

  /** Coefficients to evaluation form; row i belongs to prime i of the key modulus. */
  ntt(polynomial: Polynomial): Polynomial {
    return polynomial.map((row, i) => {
      const engine = this.primeEngines[i]!;
      const loaded = engine.load([row], [new Float64Array(row.length)], "coefficient");
      engine.evaluator.cipherTransformToNttInplace(loaded);
      return engine.rows(loaded, 2)[0]!;
    });
  }

  /** Evaluation form to coefficients; row i belongs to prime i of the key modulus. */
  intt(polynomial: Polynomial): Polynomial {
    return polynomial.map((row, i) => {
      const engine = this.primeEngines[i]!;
      const loaded = engine.load([row], [new Float64Array(row.length)], "evaluation");
      engine.evaluator.cipherTransformFromNttInplace(loaded);
      return engine.rows(loaded, 2)[0]!;
    });
  }
}

/** A secret key inside SEAL, and the four things it is used for. */
export class RingSecretKey {
  readonly #ring: Ring;
  readonly #key: SecretKey;
  readonly #encryptor: Encryptor;
  readonly #decryptor: Decryptor;
  readonly #primeDecryptors: readonly Decryptor[];

  /** A fresh key from SEAL's key generator, or the key with the given residues in evaluation form. */
  constructor(ring: Ring, residues?: Polynomial) {
    const { seal, engine } = ring;
    this.#ring = ring;
    this.#key = residues === undefined ? engine.freshKey() : engine.secretKey(residues);
    this.#encryptor = engine.encryptor(this.#key);
    this.#decryptor = new seal.Decryptor(engine.context, this.#key);
    this.#primeDecryptors = this.rows().map((row, i) => {
      const one = ring.primeEngines[i]!;
      const key = one.secretKey([row]);
      const decryptor = new seal.Decryptor(one.context, key);
      key.delete();
      return decryptor;
    });
  }

  /** Free what SEAL holds of the key. It cannot be used afterwards. */
  forget(): void {
    for (const held of [this.#encryptor, this.#decryptor, ...this.#primeDecryptors, this.#key]) held.delete();
  }

  /** The secret key itself, in evaluation form, one row a prime of the key modulus. */
  rows(): Polynomial {
    return this.#ring.engine.rows(this.#key, this.#ring.parameters.keyPrimes.length);
  }

  /**
   * The c0 of a fresh symmetric encryption of zero whose c1 is the given uniform polynomial.
   *
   * SEAL samples (d0, d1) with d0 + d1·s = e; then d0 + (d1 - c1)·s = e - c1·s is the c0 sought, computed by SEAL's
   * decryptor. The error e is SEAL's own, used once.
   */
  encryptZero(c1: Polynomial): Polynomial {
    const { seal, engine, parameters } = this.#ring;
    const fresh = new seal.Ciphertext();
    this.#encryptor.encryptSymmetric(engine.zero, fresh);
    const nothing = c1.map((row) => new Float64Array(row.length));
    const given = engine.load(nothing, c1, "evaluation");
    given.setScale(fresh.scale());
    engine.evaluator.subInplace(fresh, given);
    this.#decryptor.decrypt(fresh, engine.plaintext);
    fresh.delete();
    return engine.rows(engine.plaintext, parameters.dataPrimes.length);
  }

  /** s times a polynomial in evaluation form; row i belongs to prime i. */
  times(polynomial: Polynomial): Polynomial {
    return polynomial.map((row, i) => this.#phase(i, new Float64Array(row.length), row));
  }

  /**
   * The b of a fresh public key (b, a) whose a is the given uniform polynomial: the step of {@link encryptZero}, one
   * prime at a time, because SEAL's decryptor refuses the level of keys.
   */
  publicKey(a: Polynomial): Polynomial {
    const { seal, engine, parameters } = this.#ring;
    const generator = new seal.KeyGenerator(engine.context, this.#key);
    const fresh = generator.createPublicKey();
    const count = parameters.keyPrimes.length;
    const pair = engine.rows(fresh, 2 * count);
    fresh.delete();
    generator.delete();
    return parameters.keyPrimes.map((prime, i) => {
      const difference = subtract(pair[count + i]!, a[i]!, prime);
      return this.#phase(i, pair[i]!, difference);
    });
  }

  #phase(index: number, c0: Residues, c1: Residues): Residues {
    const engine = this.#ring.primeEngines[index]!;
    this.#primeDecryptors[index]!.decrypt(engine.load([c0], [c1], "evaluation"), engine.plaintext);
    return engine.rows(engine.plaintext, 1)[0]!;
  }
}
