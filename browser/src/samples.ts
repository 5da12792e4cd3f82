/** What callers give, as checked samples. */
import { InputError } from "./errors.ts";
import { MAX_SAMPLES } from "./wire.ts";

/** Samples in row order. */
export interface Samples {
  /** (n, d). */
  readonly values: Float64Array;
  readonly count: number;
  /** Whether the input was one sample of shape (d,). */
  readonly vector: boolean;
}

/** A number, or one as a form has it: text in decimal notation; null where it is missing. */
export type Value = number | string | null;

/** Values by the names of the model's columns, in any order; a `FormData` and a `Map` too. */
export type Named = Readonly<Record<string, unknown>> | Iterable<readonly [string, unknown]>;

/** What {@link samplesOf} takes: one sample (d,), or a batch (n, d). */
export type Sample = Float64Array | Float32Array | readonly Value[] | Named;
export type Input = Sample | readonly Sample[];

type Row = ArrayLike<unknown>;

const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const SHOWN = 5;

/** What the console was told. */
const told = new Set<string>();

/**
 * One sample, or a batch, as checked samples of d features.
 *
 * What is null or empty is missing (NaN) where a value may be. Where a sample has names and the model has, they decide: order does not matter, and values that the model does not use
 * are left out, which the console says once. Throws InputError for another shape, a missing name or anything that is no
 * number.
 */
export function samplesOf(
  input: Input,
  d: number,
  names: readonly string[] | null = null,
  mayBeMissing: (feature: number) => boolean = () => false,
): Samples {
  const vector = !isBatch(input);
  const rows = vector ? [input] : input;
  if (rows.length > MAX_SAMPLES) {
    throw new InputError(`a batch must have 1 to ${MAX_SAMPLES} samples. Got ${rows.length} instead.`);
  }
  const values = new Float64Array(rows.length * d);
  rows.forEach((given, i) => {
    const row = isRow(given) ? given : inOrder(given, i, names);
    if (row.length !== d) {
      throw new InputError(`inputs must have ${d} features. Got ${row.length} features in sample ${i} instead.`);
    }
    for (let u = 0; u < d; u++) {
      const value = row[u];
      const missing = value === null || value === undefined || value === "";
      values[i * d + u] = missing && mayBeMissing(u) ? NaN : numberOf(value, i, featureName(u, names));
    }
  });
  return { values, count: rows.length, vector };
}

/** What errors call a feature. */
export function featureName(feature: number, names: readonly string[] | null): string {
  return names === null ? `feature ${feature}` : `column '${names[feature]}'`;
}

/** An array that begins with an object is one of samples. */
function isBatch(input: Input): input is readonly Sample[] {
  return Array.isArray(input) && typeof input[0] === "object";
}

function isRow(sample: unknown): sample is Row {
  return Array.isArray(sample) || ArrayBuffer.isView(sample);
}

function numberOf(value: unknown, sample: number, name: string): number {
  if (typeof value === "number") return value;
  if (typeof value === "string" && DECIMAL.test(value.trim())) return Number(value);
  throw new InputError(`inputs must be numbers. Got ${String(value)} (sample ${sample}, ${name}) instead.`);
}

/** The values of a sample with names, in the model's order. */
function inOrder(sample: unknown, i: number, names: readonly string[] | null): Row {
  if (typeof sample !== "object" || sample === null) {
    throw new InputError(`inputs must be samples of numbers. Got ${String(sample)} in sample ${i} instead.`);
  }
  if (names === null) {
    throw new InputError(`inputs must be rows of numbers: the model has no names for them. Sample ${i} has names.`);
  }
  const given = Symbol.iterator in sample ? [...(sample as Iterable<[string, unknown]>)] : Object.entries(sample);
  checkNames(
    given.map(([name]) => name),
    i,
    names,
  );
  const found = new Map(given);
  return names.map((name) => found.get(name));
}

function checkNames(given: readonly string[], i: number, names: readonly string[]): void {
  const known = new Set(names);
  const missing = names.filter((name) => !given.includes(name));
  const unknown = given.filter((name) => !known.has(name));
  if (missing.length > 0) {
    const other = unknown.length > 0 ? ` Not known: ${listed(unknown)}.` : "";
    throw new InputError(
      `every column of the model must be there, by its name. Missing in sample ${i}: ${listed(missing)}.${other}`,
    );
  }
  if (given.length - unknown.length > names.length) {
    const twice = names.filter((name) => given.indexOf(name) !== given.lastIndexOf(name));
    throw new InputError(`every column of the model must be there once. Sample ${i} has more of ${listed(twice)}.`);
  }
  if (unknown.length > 0) sayUnused(listed(unknown));
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, SHOWN).map((name) => `'${name}'`);
  return shown.join(", ") + (names.length > SHOWN ? `, … (${names.length} in all)` : "");
}

function sayUnused(unused: string): void {
  if (told.has(unused)) return;
  told.add(unused);
  console.warn(`columns that the model does not use are left out: ${unused}`);
}
