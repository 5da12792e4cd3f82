/**
 * The public description of a model: all that a client needs, and all that it learns before it asks.
 *
 * The bytes of its canonical JSON are kept: their SHA-256 is the digest that queries and results carry.
 */
import { MIN_LAMBDA_BITS, delta, floodBits, layoutAllowed, resultNoise } from "./bounds.ts";
import { type Bytes, fromHex, sha256, toHex } from "./bytes.ts";
import { demand, isRecord, number, object, text, whole } from "./checks.ts";
import { UnsupportedError, WireError } from "./errors.ts";
import { HEADS, type Link, type Method, VALUES, outputsFit } from "./links.ts";
import { type Layout, layout } from "./packing.ts";
import { type Parameters, parametersFor } from "./parameters.ts";
import { cheapest } from "./plan.ts";
import { type Intervals, readIntervals } from "./feature-map.ts";
import { Grid } from "./quantize.ts";
import { TREE_FIELDS, type TreeCircuit, readTrees } from "./trees.ts";

const FORMAT = 1;
const MAX_FEATURES = 1 << 20;
const MAX_OUTPUTS = 1 << 20;
const MAX_LAYOUTS = 64;
const MAX_RESULT_BITS = 62;
const FIELDS = [
  "error",
  "feature_names",
  "features",
  "format",
  "grid",
  "labels",
  "layouts",
  "limb_bits",
  "limbs",
  "link",
  "method",
  "name",
  "outputs",
  "parameters",
  "profile",
  "result_bits",
  "scale_exponent",
  "squeeze",
];

const FIELDS_OF_TREES = [
  ...["circuit", "error", "feature_map", "feature_names", "format", "labels", "link", "method", "name", "parameters"],
  ...["profile", "squeeze", ...TREE_FIELDS],
].sort();

/** A class, as the estimator was fitted with it. */
export type Label = string | number | boolean | null;

/** What is public about a model, whatever its circuit. */
interface Common {
  /** The canonical JSON. */
  readonly json: Bytes;
  /** The SHA-256 of {@link json}, in hexadecimal. */
  readonly digest: string;
  readonly name: string;
  readonly parameters: Parameters;
  /** How many values a sample has. */
  readonly features: number;
  /** k, the number of scores of one sample. */
  readonly outputs: number;
  /** The estimator's method that the response equals: the scores themselves, or what the link makes of them. */
  readonly method: Method;
  /** The public function of scores that gives probabilities, or the response; null when the estimator has none. */
  readonly link: Link | null;
  /** The classes; null for a regression. */
  readonly labels: readonly Label[] | null;
  /** The name of the public function that the d features come from, computed by whoever calls; null if they are inputs. */
  readonly backbone: string | null;
  /** Whether the estimator gives one number, not a vector of one, for a sample. */
  readonly squeeze: boolean;
  readonly featureNames: readonly string[] | null;
  /** Guaranteed bound on |decrypted score - estimator's score|, for every input in range. */
  readonly error: number;
}

/** A linear model of the values themselves. */
export interface LinearSignature extends Common {
  readonly kind: "linear";
  /** The public integer grid of the d input features. */
  readonly grid: Grid;
  /** T: integer results are below 2^(T-1) in absolute value. */
  readonly resultBits: number;
  readonly scaleExponent: number;
  readonly limbs: number;
  readonly limbBits: number;
  readonly layouts: readonly Layout[];
  /** F: answers are flooded with uniform integers in [-2^(F-1), 2^(F-1)). */
  readonly floodBits: number;
  /** The least flooding of any answer, in bits above the worst-case noise that depends on the weights. */
  readonly lambdaBits: number;
  /** k times the number of limbs. */
  readonly integerOutputs: number;
  /** The scale of integer results modulo q'. */
  readonly delta: bigint;
  /** Largest |noise| of an honest answer. */
  readonly resultNoise: bigint;
}

/** Private trees of the intervals that the values are in. */
export interface TreeSignature extends Common {
  readonly kind: "trees";
  readonly intervals: Intervals;
  readonly circuit: TreeCircuit;
}

/** What is public about a model. */
export type Signature = LinearSignature | TreeSignature;

/** How many values of one sample are encrypted. */
export function encryptedValues(one: Signature): number {
  return one.kind === "linear" ? one.features : one.circuit.bits;
}

/** Whether a value of a sample may be missing (NaN). */
export function mayBeMissing(one: Signature, feature: number): boolean {
  if (one.kind === "linear") return false;
  const { columns, missing } = one.intervals;
  const place = columns.indexOf(feature);
  return place < 0 || missing[place]!;
}

/** The layouts in which a batch is answered; some are for large batches alone. */
export function layoutsFor(one: Signature, samples: number): readonly Layout[] {
  if (one.kind === "trees") return [one.circuit.layout];
  return one.layouts.filter((layout) => layoutAllowed(one.parameters, layout, one.features, one.floodBits, samples));
}

/** The cheapest layout for a batch. */
export function layoutFor(one: Signature, samples: number): Layout {
  if (one.kind === "trees") return one.circuit.layout;
  return cheapest(one.parameters, layoutsFor(one, samples), one.features, one.integerOutputs, samples);
}

/**
 * Read and check a signature's JSON.
 *
 * Throws WireError if a field is missing, unknown, of the wrong type or inconsistent with the others, and
 * UnsupportedError for whole numbers that JavaScript does not hold.
 */
export async function signatureFromJson(json: Bytes): Promise<Signature> {
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(json));
  } catch {
    throw new WireError("a signature must be JSON. It does not parse.");
  }
  return read(document, json, toHex(await sha256(json)));
}

function read(value: unknown, json: Bytes, digest: string): Signature {
  if (isRecord(value) && value["format"] === 2) return readOfTrees(value, json, digest);
  refuseFeatureMap(value);
  const document = object(value, hasBackbone(value) ? [...FIELDS, "backbone"].sort() : FIELDS, "a signature");
  demand(document["format"] === FORMAT, `the signature's format must be ${FORMAT}`);
  const shared = readShared(document, json, digest);
  const { parameters, labels, link } = shared;
  const features = whole(document["features"], 1, MAX_FEATURES, "features");
  const outputs = whole(document["outputs"], 1, MAX_OUTPUTS, "outputs");
  const limbs = whole(document["limbs"], 1, 8, "limbs");
  const resultBits = whole(document["result_bits"], 2, MAX_RESULT_BITS, "result_bits");
  const flood = floodBits(parameters, resultBits);
  demand(flood >= MIN_LAMBDA_BITS, "result_bits must leave room for flooding");
  const [layouts, lambdaBits] = readLayouts(document["layouts"], parameters, flood);
  const small = layouts.some((one) => layoutAllowed(parameters, one, features, flood, 1));
  demand(small, "a layout for batches of every size must be offered");
  demand(labels === null || outputsFit(link, labels.length, outputs), "labels must match outputs");
  return {
    kind: "linear",
    ...shared,
    grid: readGrid(document["grid"], features),
    features,
    outputs,
    backbone: hasBackbone(value) ? text(document["backbone"], "backbone") : null,
    featureNames: readNames(document["feature_names"], features),
    resultBits,
    scaleExponent: whole(document["scale_exponent"], -1000, 1000, "scale_exponent"),
    limbs,
    limbBits: whole(document["limb_bits"], 0, MAX_RESULT_BITS, "limb_bits"),
    layouts,
    floodBits: flood,
    lambdaBits,
    integerOutputs: outputs * limbs,
    delta: delta(parameters, resultBits),
    resultNoise: resultNoise(parameters, flood, lambdaBits),
  };
}

function readOfTrees(value: Record<string, unknown>, json: Bytes, digest: string): TreeSignature {
  const document = object(value, FIELDS_OF_TREES, "a signature");
  demand(document["circuit"] === "trees", "circuit must be trees, in format 2");
  const shared = readShared(document, json, digest);
  const { labels, link } = shared;
  const intervals = readIntervals(document["feature_map"]);
  const circuit = readTrees(document, shared.parameters);
  const same =
    intervals.edges.length === circuit.edges.length &&
    intervals.edges.every((one, i) => one.length === circuit.edges[i] && intervals.missing[i] === circuit.missing[i]);
  demand(same, "feature_map must have the intervals of the trees");
  const outputs = circuit.words.length * circuit.columns;
  demand(labels === null || outputsFit(link, labels.length, outputs), "labels must match outputs");
  return {
    kind: "trees",
    ...shared,
    features: intervals.inputs,
    outputs,
    backbone: null,
    featureNames: readNames(document["feature_names"], intervals.inputs),
    intervals,
    circuit,
  };
}

/** What is read alike for every circuit. */
function readShared(document: Record<string, unknown>, json: Bytes, digest: string) {
  const code = text(document["parameters"], "parameters");
  demand(/^[0-9a-f]{32}$/.test(code), "parameters must be 32 hexadecimal digits");
  const parameters = parametersFor(fromHex(code));
  demand(document["profile"] === parameters.profile, "profile must name the parameters");
  const labels = readLabels(document["labels"]);
  const [method, link] = readHead(text(document["method"], "method"), document["link"]);
  demand(labels !== null || VALUES.includes(link), "a model with this link must have labels");
  const error = number(document["error"], "error");
  demand(error >= 0, "error must not be negative");
  const squeeze = document["squeeze"];
  demand(typeof squeeze === "boolean", "squeeze must be true or false");
  return { json, digest, name: text(document["name"], "name"), parameters, labels, method, link, error, squeeze };
}

function hasBackbone(value: unknown): boolean {
  return typeof value === "object" && value !== null && "backbone" in value;
}

/** Features that clients compute before they encrypt: Python's clients do. */
function refuseFeatureMap(value: unknown): void {
  if (typeof value === "object" && value !== null && "feature_map" in value) {
    throw new UnsupportedError(
      "the model must take its inputs as they are. This one has public features, which clients compute first and " +
        "@hermetic/client does not: use the Python client.",
    );
  }
}

function readHead(method: string, link: unknown): [Method, Link | null] {
  const links = Object.hasOwn(HEADS, method) ? (HEADS[method as Method] as readonly unknown[]) : [];
  if (links.includes(link)) return [method as Method, link as Link | null];
  throw new UnsupportedError(
    `the model must have a method and a link that this version knows. Got ${method} with ${String(link)} instead: ` +
      "update @hermetic/client.",
  );
}

function readNames(value: unknown, features: number): readonly string[] | null {
  if (value === null) return null;
  demand(Array.isArray(value) && value.length === features, "feature_names must match features");
  return value.map((name) => text(name, "feature_names"));
}

function readLayouts(value: unknown, parameters: Parameters, flood: number): [Layout[], number] {
  const fits = Array.isArray(value) && value.length >= 1 && value.length <= MAX_LAYOUTS;
  demand(fits, `layouts must be 1 to ${MAX_LAYOUTS}`);
  let least = flood;
  const layouts = value.map((entry: unknown) => {
    demand(Array.isArray(entry) && entry.length === 4, "every layout must have four numbers");
    const n = parameters.ringDegree;
    const [b, f, r] = [0, 1, 2].map((i) => whole(entry[i], 1, n, "layouts")) as [number, number, number];
    const lambda = number(entry[3], "layouts");
    const floods = MIN_LAMBDA_BITS <= lambda && lambda <= flood;
    demand(floods, `answers must be flooded by ${MIN_LAMBDA_BITS} to ${flood} bits`);
    least = Math.min(least, lambda);
    return layout(n, b, f, r);
  });
  return [layouts, least];
}

function readGrid(value: unknown, features: number): Grid {
  const document = object(value, ["exact", "high", "low", "offset", "step"], "grid");
  const column = (name: string): Float64Array => {
    const raw = document[name];
    if (!Array.isArray(raw)) return new Float64Array(features).fill(number(raw, `grid.${name}`));
    demand(raw.length === features, `grid.${name} must match features`);
    return Float64Array.from(raw, (one) => number(one, `grid.${name}`));
  };
  const integers = (name: string): Float64Array => {
    const found = column(name);
    demand(found.every(Number.isInteger), `grid.${name} must be whole numbers`);
    if (!found.every(Number.isSafeInteger)) {
      throw new UnsupportedError(
        `the integers of the model's inputs must stay below 2^53 to be exact in JavaScript. Those of grid.${name} ` +
          "do not: compile the model with fewer input bits, or use the Python client.",
      );
    }
    return found;
  };
  const exact = document["exact"];
  demand(typeof exact === "boolean", "grid.exact must be true or false");
  const grid = new Grid(column("offset"), column("step"), integers("low"), integers("high"), exact);
  const increasing = grid.step.every((step) => step > 0) && grid.low.every((low, i) => low <= grid.high[i]!);
  demand(increasing, "the grid must be increasing");
  return grid;
}

const LABEL_TYPES: Readonly<Record<string, readonly string[]>> = {
  b: ["boolean"],
  i: ["number"],
  u: ["number"],
  f: ["number"],
  U: ["string"],
  O: ["string", "number", "boolean"],
};

function readLabels(value: unknown): readonly Label[] | null {
  if (value === null) return null;
  const { dtype, values } = object(value, ["dtype", "values"], "labels");
  const code = text(dtype, "labels.dtype");
  demand(/^[<>|][a-zA-Z][0-9]{0,6}$/.test(code), "labels.dtype must be a NumPy type code");
  const kind = code[1]!;
  const types = LABEL_TYPES[kind];
  demand(types !== undefined, "labels must be numbers, booleans or strings");
  demand(Array.isArray(values) && values.length >= 1 && values.length <= MAX_OUTPUTS, "labels must be a list");
  for (const label of values as unknown[]) {
    demand(types.includes(typeof label) || (kind === "O" && label === null), "labels must be of their dtype");
    if (Number.isInteger(label) && !Number.isSafeInteger(label)) {
      throw new UnsupportedError(
        `whole-number labels must stay below 2^53 in JavaScript. Got ${String(label)} instead.`,
      );
    }
  }
  return values as Label[];
}
