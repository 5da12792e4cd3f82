/**
 * One polynomial holds B samples x f features x r outputs (B·f·r <= N). No cryptography here.
 *
 *     coefficient index of (sample i, feature u, output v)  =  i + B·(u + f·v)
 *
 * A query holds x[i, u] at i + B·u; an answer holds output v of sample i at i + B·(f·v + f-1), its targets. d features
 * take ceil(d/f) query polynomials; k outputs take ceil(k/r) result polynomials.
 */
import { WireError } from "./errors.ts";

/** How many samples (B, a power of two), features (f) and outputs (r) share a polynomial of N coefficients. */
export interface Layout {
  readonly ringDegree: number;
  readonly samples: number;
  readonly features: number;
  readonly outputs: number;
}

/** A checked layout. Throws WireError. */
export function layout(ringDegree: number, samples: number, features: number, outputs: number): Layout {
  const power = (samples & (samples - 1)) === 0;
  if (Math.min(samples, features, outputs) < 1 || !power || samples * features * outputs > ringDegree) {
    throw new WireError(
      `a layout must have B·f·r <= ${ringDegree} with B a power of two and f, r >= 1. ` +
        `Got B=${samples}, f=${features}, r=${outputs} instead.`,
    );
  }
  return { ringDegree, samples, features, outputs };
}

/** Polynomials that `features` features of up to B samples take. */
export function queryPolynomials(one: Layout, features: number): number {
  return Math.ceil(features / one.features);
}

/** Polynomials that `outputs` outputs of up to B samples take. */
export function resultPolynomials(one: Layout, outputs: number): number {
  return Math.ceil(outputs / one.outputs);
}

/** How many times B samples are needed for `samples` samples. */
export function chunks(one: Layout, samples: number): number {
  return Math.ceil(samples / one.samples);
}

/** Samples (n, d) in row order, n <= B, as the coefficients of the query polynomials. */
export function packSamples(values: Float64Array, d: number, one: Layout): Float64Array[] {
  const { ringDegree, samples: b, features: f } = one;
  const out = Array.from({ length: queryPolynomials(one, d) }, () => new Float64Array(ringDegree));
  for (let i = 0; i < values.length / d; i++) {
    for (let u = 0; u < d; u++) out[Math.floor(u / f)]![i + b * (u % f)] = values[i * d + u]!;
  }
  return out;
}

/** Calls `visit(polynomial, coefficient, sample, output)` for every target word, in the order in which they travel:
 * chunk, group of outputs, output, sample. */
export function forEachTarget(
  one: Layout,
  samples: number,
  outputs: number,
  visit: (polynomial: number, coefficient: number, sample: number, output: number) => void,
): void {
  const groups = resultPolynomials(one, outputs);
  for (let chunk = 0; chunk < chunks(one, samples); chunk++) {
    const first = chunk * one.samples;
    const count = Math.min(one.samples, samples - first);
    for (let output = 0; output < outputs; output++) {
      const group = Math.floor(output / one.outputs);
      const block = one.features * (output % one.outputs) + one.features - 1;
      for (let i = 0; i < count; i++) visit(chunk * groups + group, i + one.samples * block, first + i, output);
    }
  }
}
