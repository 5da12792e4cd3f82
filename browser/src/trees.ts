/** What is public about private trees: slots, spans, sections and the bounds that they follow from. */
import { packedBytes } from "./bitpacking.ts";
import { MIN_LAMBDA_BITS, maskNoise, maxTargets } from "./bounds.ts";
import { demand, whole } from "./checks.ts";
import { type Layout, layout, queryPolynomials } from "./packing.ts";
import { FAST, type Parameters, product, rescaleFactor, rescaleNoise } from "./parameters.ts";

const SCORE_BITS = 24;
const COFACTOR = 120n;
const CHECKS = 2;
const STRICT_LIMBS = 8;
const SPAN_BITS = 16;
const MAX_SLOTS = 1 << 17;
const MAX_WORDS = 1 << 20;
const MAX_OUTPUTS = 1 << 10;
const MAX_SEAL = 64;
const MAX_BYTES = 2 ** 29;

/** How finely a section is released: bits of a word's value, and of what travels of a c1 and of a word. */
interface Precision {
  readonly bits: number;
  readonly c1Bits: number;
  readonly wordBits: number;
}

function precision(bits: number): Precision {
  return { bits, c1Bits: bits + 14, wordBits: bits + 8 };
}

const TESTS = precision(12);
const CHECKED = precision(18);
const SCORES = precision(SCORE_BITS);

/** Words that are released at one precision: where each is among the coefficients of so many result polynomials. */
export interface Section extends Precision {
  readonly polynomials: number;
  readonly places: Int32Array<ArrayBuffer>;
}

/** Some neighbouring bits of one input, which are tested together. */
interface Span {
  readonly input: number;
  /** Its first threshold, and how many there are. */
  readonly first: number;
  readonly length: number;
  readonly ofNan: boolean;
}

/** The public numbers of private trees, and what follows from them. */
export interface TreeCircuit {
  /** The thresholds of every input, and whether it may be missing. */
  readonly edges: readonly number[];
  readonly missing: readonly boolean[];
  /** How many words and trees each output has; the scores of one word. */
  readonly words: readonly number[];
  readonly trees: readonly number[];
  readonly columns: number;
  readonly limbs: number;
  readonly limbBits: number;
  readonly scaleExponent: number;
  /** D: the bits that are encrypted for one sample. */
  readonly bits: number;
  readonly layout: Layout;
  readonly sealLimbs: number;
  readonly spans: readonly Span[];
  readonly sections: readonly [Section, Section, Section];
  /** What a bit is multiplied by. */
  readonly delta: bigint;
}

/** The fields of a signature of format 2 that are the circuit's. */
export const TREE_FIELDS = [
  "bits",
  "columns",
  "edges",
  "lambda_bits",
  "limb_bits",
  "limbs",
  "missing",
  "scale_exponent",
  "seal",
  "strict",
  "trees",
  "words",
];

/** Read the circuit's fields. Throws WireError if they are not valid. */
export function readTrees(document: Record<string, unknown>, parameters: Parameters): TreeCircuit {
  demand(parameters === FAST, "the profile of trees must be fast");
  const edges = numbers(document["edges"], MAX_SLOTS, 0, MAX_SLOTS, "edges");
  const missing = document["missing"];
  demand(Array.isArray(missing) && missing.length === edges.length, "missing must be a flag of each input");
  demand(
    missing.every((one) => typeof one === "boolean"),
    "missing must be true or false",
  );
  const bits = edges.reduce((total, one, i) => total + one + Number(missing[i]), 0);
  demand(bits >= 1 && bits + edges.length <= MAX_SLOTS, `there must be 1 to ${MAX_SLOTS} intervals`);
  const words = numbers(document["words"], MAX_OUTPUTS, 1, MAX_WORDS, "words");
  const trees = numbers(document["trees"], MAX_OUTPUTS, 1, MAX_WORDS, "trees");
  demand(words.length === trees.length && sum(words) <= MAX_WORDS, "words and trees must be those of each output");
  demand(
    words.every((one, i) => one >= trees[i]!),
    "every tree must have a word",
  );
  const columns = whole(document["columns"], 1, MAX_OUTPUTS, "columns");
  demand(columns === 1 || words.length === 1, "several columns must go with one output");
  const n = parameters.ringDegree;
  const each = whole(document["bits"], 1, n, "bits");
  const limbs = whole(document["limbs"], 1, 4, "limbs");
  const strict = document["strict"];
  demand(typeof strict === "boolean", "strict must be true or false");
  const lambda = document["lambda_bits"];
  const flood = floodBits(parameters, SCORES);
  demand(typeof lambda === "number" && MIN_LAMBDA_BITS <= lambda && lambda <= flood, "lambda_bits must be in range");
  const seal = readSeal(document["seal"], parameters, each);
  const spans = strict ? spansOf(edges, missing as boolean[]) : [];
  const patterns = sum(spans.map(patternsOf));
  const limbsOfSpans = patterns * STRICT_LIMBS;
  const place = (one: Precision, count: number, first: number): Section => section(parameters, one, each, count, first);
  const tests = place(TESTS, limbsOfSpans + spans.length, seal.length);
  const sealPlaces = seal.flatMap((places, i) => places.map((at) => i * n + at));
  const all = sum(words);
  demand(all * (CHECKS + columns * limbs) <= MAX_WORDS * 8, "words, columns and limbs must be fewer");
  const circuit: TreeCircuit = {
    edges,
    missing: missing as boolean[],
    words,
    trees,
    columns,
    limbs,
    limbBits: whole(document["limb_bits"], 0, SCORE_BITS, "limb_bits"),
    scaleExponent: whole(document["scale_exponent"], -1000, 1000, "scale_exponent"),
    bits,
    layout: layout(n, 1, each, Math.floor(n / each)),
    sealLimbs: sealPlaces.length,
    spans,
    sections: [
      {
        ...tests,
        polynomials: tests.polynomials + seal.length,
        places: Int32Array.from([...sealPlaces, ...tests.places]),
      },
      place(CHECKED, CHECKS * all, 0),
      place(SCORES, columns * limbs * all, 0),
    ],
    delta: product(parameters.dataPrimes) / (COFACTOR << BigInt(SCORE_BITS)),
  };
  demand(sampleBytes(circuit, parameters) <= MAX_BYTES, "an answer must be smaller");
  return circuit;
}

/** The bytes of one sample's answer. */
export function sampleBytes(circuit: TreeCircuit, parameters: Parameters): number {
  return sum(circuit.sections.map((one) => sectionBytes(one, parameters.ringDegree)));
}

export function sectionBytes(one: Section, ringDegree: number): number {
  return packedBytes(one.polynomials * ringDegree, one.c1Bits) + packedBytes(one.places.length, one.wordBits);
}

/** How many query polynomials a sample takes. */
export function polynomialsOfSample(circuit: TreeCircuit): number {
  return queryPolynomials(circuit.layout, circuit.bits);
}

/** The bits (n, D) of samples whose inputs are in these intervals (n, inputs). */
export function bitsOf(circuit: TreeCircuit, intervals: Int32Array): Float64Array {
  const inputs = circuit.edges.length;
  const out = new Float64Array((intervals.length / inputs) * circuit.bits);
  let at = 0;
  for (let i = 0; i < intervals.length; i++) {
    const interval = intervals[i]!;
    const edges = circuit.edges[i % inputs]!;
    if (interval <= edges) out.fill(1, at, at + interval);
    else out[at + edges] = 1;
    at += edges + Number(circuit.missing[i % inputs]!);
  }
  return out;
}

/** The places, among all limbs of spans, of those that the patterns with these numbers open; undefined for no pattern. */
export function limbsOf(circuit: TreeCircuit, numbers: ArrayLike<number>): number[] | undefined {
  const found: number[] = [];
  let first = 0;
  for (const [i, span] of circuit.spans.entries()) {
    const number = numbers[i]!;
    if (number >= patternsOf(span)) return undefined;
    for (let limb = 0; limb < STRICT_LIMBS; limb++) found.push((first + number) * STRICT_LIMBS + limb);
    first += patternsOf(span);
  }
  return found;
}

function patternsOf(span: Span): number {
  return span.length + 1 + Number(span.ofNan);
}

function spansOf(edges: readonly number[], missing: readonly boolean[]): Span[] {
  return edges.flatMap((count, input) => {
    if (count + Number(missing[input]) === 0) return [];
    const steps = Math.max(count - 1, 0);
    const spans = Math.max(Math.ceil(steps / (SPAN_BITS - 1)), 1);
    return Array.from({ length: spans }, (_, i) => {
      const first = Math.floor((i * steps) / spans);
      const last = Math.floor(((i + 1) * steps) / spans);
      return { input, first, length: count > 0 ? last - first + 1 : 0, ofNan: missing[input]! && i === 0 };
    });
  });
}

function section(parameters: Parameters, one: Precision, bits: number, words: number, first: number): Section {
  const n = parameters.ringDegree;
  const flood = one === TESTS ? 1 : floodBits(parameters, one);
  const each = Math.min(Math.floor(n / bits), maxTargets(parameters, flood));
  const places = new Int32Array(words);
  for (let i = 0; i < words; i++) {
    places[i] = (first + Math.floor(i / each)) * n + bits * (i % each) + bits - 1;
  }
  return { ...one, polynomials: Math.ceil(words / each), places };
}

/** F: the bits of flooding that a precision leaves room for. */
function floodBits(parameters: Parameters, one: Precision): number {
  const modulus = product(parameters.keptPrimes);
  const n = BigInt(parameters.ringDegree);
  const rounding = n * ((modulus >> BigInt(one.c1Bits + 1)) + 2n) + (modulus >> BigInt(one.wordBits + 1)) + 2n;
  const after = (modulus >> BigInt(one.bits)) / 2n - rescaleNoise(parameters) - rounding - 2n;
  const budget = after * rescaleFactor(parameters) - maskNoise(parameters);
  return ((budget * 256n) / 257n).toString(2).length;
}

function readSeal(value: unknown, parameters: Parameters, bits: number): number[][] {
  demand(Array.isArray(value) && value.length >= 1 && value.length <= MAX_SEAL, "seal must be lists of numbers");
  const most = maxTargets(parameters, 1);
  return value.map((one: unknown) => {
    const places = numbers(one, most, bits - 1, parameters.ringDegree - 1, "seal");
    demand(
      places.every((at, i) => i === 0 || at > places[i - 1]!),
      "places of the seal must rise",
    );
    return places;
  });
}

function numbers(value: unknown, most: number, low: number, high: number, name: string): number[] {
  demand(Array.isArray(value) && value.length >= 1 && value.length <= most, `${name} must be 1 to ${most} numbers`);
  return value.map((one) => whole(one, low, high, name));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, one) => total + one, 0);
}
