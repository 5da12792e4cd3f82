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

/** What {@link samplesOf} takes: one sample (d,), or a batch (n, d). */
export type Sample = Float64Array | Float32Array | readonly number[];
export type Input = Sample | readonly Sample[];

/** One sample, or a batch, as checked samples of d features. Throws InputError for another shape. */
export function samplesOf(input: Input, d: number): Samples {
  const vector = input.length === 0 || typeof input[0] === "number";
  const rows = vector ? [input as Sample] : (input as readonly Sample[]);
  if (rows.length > MAX_SAMPLES) {
    throw new InputError(`a batch must have 1 to ${MAX_SAMPLES} samples. Got ${rows.length} instead.`);
  }
  const values = new Float64Array(rows.length * d);
  rows.forEach((row, i) => {
    const length = (row as Partial<Sample> | null)?.length;
    if (length !== d) {
      throw new InputError(
        `inputs must have ${d} features. Got ${length === undefined ? String(row) : `${length} features`} ` +
          `in sample ${i} instead.`,
      );
    }
    for (let u = 0; u < d; u++) {
      const value: unknown = row[u];
      if (typeof value !== "number") {
        throw new InputError(`inputs must be numbers. Got ${String(value)} (sample ${i}, feature ${u}) instead.`);
      }
      values[i * d + u] = value;
    }
  });
  return { values, count: rows.length, vector };
}
