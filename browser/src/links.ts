/** What anybody may make of scores: labels and probabilities. */
import type { Label, Link } from "./signature.ts";

/** The label of one sample: of one score its sign chooses, of k the largest, and the first of equals. */
export function chooseLabel(scores: Float64Array, labels: readonly Label[]): Label {
  const chosen = scores.length === 1 ? Number(scores[0]! > 0) : scores.indexOf(largest(scores));
  return labels[chosen]!;
}

/** The scores of one sample as the probabilities of the classes: one score gives two. */
export function applyLink(link: Link, scores: Float64Array): Float64Array {
  if (link === "softmax") {
    const highest = largest(scores);
    return normalised(scores.map((score) => Math.exp(score - highest)));
  }
  const positive = scores.map(link === "modified_huber" ? clipped : logistic);
  if (positive.length === 1) return Float64Array.of(1 - positive[0]!, positive[0]!);
  return normalised(positive);
}

function largest(values: Float64Array): number {
  return values.reduce((most, value) => Math.max(most, value), -Infinity);
}

/** 1/(1 + exp(-score)), to full relative precision where it is tiny. */
function logistic(score: number): number {
  const small = Math.exp(-Math.abs(score));
  return (score >= 0 ? 1 : small) / (1 + small);
}

/** The link of the modified Huber loss (Zhang, ICML 2004). */
function clipped(score: number): number {
  return 0.5 * (1 + Math.min(Math.max(score, -1), 1));
}

/** Values that sum to 1; equal ones where all of them are 0. */
function normalised(values: Float64Array): Float64Array {
  const total = values.reduce((sum, value) => sum + value, 0);
  return values.map((value) => (total > 0 ? value / total : 1 / values.length));
}
