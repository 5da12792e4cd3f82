/** What a tree circuit answers, and how it is opened: sections on grids of their own, sealed but for the first. */
import { pack, packedBytes, unpack } from "./bitpacking.ts";
import { type Bytes, concat, sha256, subtle } from "./bytes.ts";
import { DecryptionError } from "./errors.ts";
import type { Parameters } from "./parameters.ts";
import { product } from "./parameters.ts";
import { roundHalfToEven } from "./quantize.ts";
import type { Polynomial, Residues } from "./residues.ts";
import { type Section, type TreeCircuit, limbsOf, sectionBytes } from "./trees.ts";

const SEAL_DOMAIN = "hermetic trees seal 1";

/** One section of the answer to one sample: c1 (G, N) and words (T,), rounded to the section's precision. */
export interface SectionAnswer {
  readonly c1: Residues;
  readonly words: Residues;
}

/** What multiplies a polynomial (coefficients modulo q') with the secret key. */
export type TimesSecret = (c1: Polynomial) => Polynomial;

export function packSample(answers: readonly SectionAnswer[], circuit: TreeCircuit): Bytes {
  return concat(
    ...answers.flatMap(({ c1, words }, i) => {
      const { c1Bits, wordBits } = circuit.sections[i]!;
      return [pack(c1, c1Bits), pack(words, wordBits)];
    }),
  );
}

/** The sections of one sample from its bytes, whose number was checked. Throws WireError for padding bits. */
export function unpackSample(data: Bytes, circuit: TreeCircuit, ringDegree: number): SectionAnswer[] {
  let start = 0;
  return circuit.sections.map((one) => {
    const count = one.polynomials * ringDegree;
    const middle = start + packedBytes(count, one.c1Bits);
    const end = start + sectionBytes(one, ringDegree);
    const c1 = unpack(data.subarray(start, middle), count, one.c1Bits);
    const words = unpack(data.subarray(middle, end), one.places.length, one.wordBits);
    start = end;
    return { c1, words };
  });
}

/**
 * The integers of one sample, output by output and limb by limb.
 *
 * Throws DecryptionError if the answer does not open to one active word of every tree.
 */
export async function openSample(
  answers: readonly SectionAnswer[],
  circuit: TreeCircuit,
  parameters: Parameters,
  query: Bytes,
  number: number,
  timesSecret: TimesSecret,
): Promise<number[]> {
  const modulus = Number(product(parameters.keptPrimes));
  const values = (i: number, words: Residues): Float64Array =>
    valuesOf(circuit.sections[i]!, answers[i]!.c1, words, modulus, parameters.ringDegree, timesSecret);
  const limbs = opened(circuit, values(0, answers[0]!.words));
  const sealed = answers.slice(1);
  const stream = await keystream(
    limbs,
    query,
    number,
    sealed.reduce((total, one) => total + one.words.length, 0),
  );
  let start = 0;
  const [checks, scores] = sealed.map(({ words }, i) => {
    const part = unsealed(words, stream.subarray(start, (start += words.length)), circuit.sections[i + 1]!.wordBits);
    return values(i + 1, part);
  });
  return summed(circuit, checks!, scores!);
}

/** The words of a section as integers on its grid. */
function valuesOf(
  section: Section,
  c1: Residues,
  words: Residues,
  modulus: number,
  n: number,
  timesSecret: TimesSecret,
): Float64Array {
  const products: Residues[] = [];
  for (let i = 0; i < section.polynomials; i++) {
    const lifted = c1.subarray(i * n, (i + 1) * n).map((one) => lift(one, section.c1Bits, modulus));
    products.push(timesSecret([lifted])[0]!);
  }
  const scale = 2 ** section.bits / modulus;
  return Float64Array.from(words, (word, i) => {
    const place = section.places[i]!;
    const phase = (products[Math.floor(place / n)]![place % n]! + lift(word, section.wordBits, modulus)) % modulus;
    return roundHalfToEven(phase * scale) % 2 ** section.bits;
  });
}

/** round(v·q'/2^bits) modulo q'. */
function lift(value: number, bits: number, modulus: number): number {
  return roundHalfToEven(value * (modulus / 2 ** bits)) % modulus;
}

/** The limbs of the seal, and of the pattern that each span has, which the last words say. */
function opened(circuit: TreeCircuit, values: Float64Array): number[] {
  const seal = Array.from(values.subarray(0, circuit.sealLimbs));
  const end = values.length - circuit.spans.length;
  const places = limbsOf(circuit, values.subarray(end));
  if (places === undefined) throw wrong();
  return [...seal, ...places.map((place) => values[circuit.sealLimbs + place]!)];
}

async function keystream(limbs: readonly number[], query: Bytes, number: number, count: number): Promise<Uint32Array> {
  const tail = new DataView(new ArrayBuffer(4 + 2 * limbs.length));
  tail.setUint32(0, number, true);
  limbs.forEach((limb, i) => tail.setUint16(4 + 2 * i, limb, true));
  const text = concat(new TextEncoder().encode(SEAL_DOMAIN), query, new Uint8Array(tail.buffer));
  const key = await subtle().importKey("raw", await sha256(text), "AES-CTR", false, ["encrypt"]);
  const options = { name: "AES-CTR", counter: new Uint8Array(16), length: 128 };
  const stream = new DataView(await subtle().encrypt(options, key, new Uint8Array(4 * count)));
  return Uint32Array.from({ length: count }, (_, i) => stream.getUint32(4 * i, true));
}

function unsealed(words: Residues, stream: Uint32Array, bits: number): Residues {
  const mask = bits === 32 ? 0xffffffff : 2 ** bits - 1;
  return words.map((word, i) => (word ^ (stream[i]! & mask)) >>> 0);
}

/** The sums of the scores of active words, of which every tree has one. */
function summed(circuit: TreeCircuit, checks: Float64Array, scores: Float64Array): number[] {
  const all = checks.length / 2;
  const half = 2 ** 23;
  const found: number[] = [];
  let start = 0;
  circuit.words.forEach((count, output) => {
    const active = Array.from({ length: count }, (_, i) => start + i).filter(
      (word) => checks[word] === 0 && checks[all + word] === 0,
    );
    if (active.length !== circuit.trees[output]) throw wrong();
    for (let column = 0; column < circuit.columns * circuit.limbs; column++) {
      const total = active.reduce((sum, word) => sum + scores[column * all + word]!, 0);
      found.push(((total + half) % (2 * half)) - half);
    }
    start += count;
  });
  return found;
}

/** Integer results of one sample, output by output and limb by limb, as scores. */
export function recombineTrees(circuit: TreeCircuit, integers: ArrayLike<number>): Float64Array {
  const { columns, limbs, limbBits, scaleExponent } = circuit;
  const out = new Float64Array(circuit.words.length * columns);
  for (let output = 0; output < circuit.words.length; output++) {
    for (let limb = 0; limb < limbs; limb++) {
      const factor = 2 ** (limbBits * limb - scaleExponent);
      for (let column = 0; column < columns; column++) {
        out[output * columns + column]! += integers[(output * limbs + limb) * columns + column]! * factor;
      }
    }
  }
  return out;
}

function wrong(): DecryptionError {
  return new DecryptionError(
    "the result must decrypt to one value of every tree. It does not: it was damaged, forged, or computed under another " +
      "key or for another query.",
  );
}
