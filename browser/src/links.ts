/** What anybody may make of scores: the estimator's response, labels and probabilities. */
import type { Label } from "./signature.ts";

/** The estimator's method that the response equals, and the links that may go with it. */
export const HEADS = {
  decision_function: [
    null,
    "logistic",
    "softmax",
    "modified_huber",
    "one_vs_one",
    "votes",
    "pairs",
    "multilabel",
    "multilabel_logistic",
  ],
  predict: [null, "exp", "expm1", "multilabel"],
  predict_proba: ["softmax", "modified_huber", "mean_logistic", "mean_softmax"],
  predict_joint_log_proba: ["softmax"],
  transform: [null],
} as const;

export type Method = keyof typeof HEADS;
export type Link = NonNullable<(typeof HEADS)[Method][number]>;

/** Links of models without labels. */
export const VALUES: readonly (Link | null)[] = [null, "exp", "expm1"];

const WITHOUT_PROBABILITIES: readonly (Link | null)[] = [...VALUES, "one_vs_one", "votes", "pairs", "multilabel"];

/** Whether a model with this link has probabilities; the other links make the response, or labels. */
export function hasProbabilities(link: Link | null): link is Link {
  return !WITHOUT_PROBABILITIES.includes(link);
}

/** Whether each score chooses one of two labels. */
export function isMultilabel(link: Link | null): boolean {
  return link === "multilabel" || link === "multilabel_logistic";
}

/** Whether a classifier of so many classes may have so many scores. */
export function outputsFit(link: Link | null, classes: number, outputs: number): boolean {
  const group = classes === 2 ? 1 : classes;
  if (link === "one_vs_one" || link === "votes" || link === "pairs") {
    return classes > 2 && outputs === (classes * (classes - 1)) / 2;
  }
  if (isMultilabel(link)) return classes === 2 && outputs > 1;
  if (link === "mean_logistic") return outputs % group === 0;
  if (link === "mean_softmax") return outputs % classes === 0;
  if (link === "logistic" || link === "modified_huber") return outputs === group;
  return outputs === classes || (outputs === 1 && classes === 2 && link === null);
}

/** What the estimator's method gives for one sample of these scores (k,). */
export function respond(method: Method, link: Link | null, scores: Float64Array, classes: number): Float64Array {
  if (link === "exp") return scores.map(Math.exp);
  if (link === "expm1") return scores.map(Math.expm1);
  if (link === "one_vs_one" || link === "votes") return oneVersusOne(scores, classes);
  return hasProbabilities(link) && method === "predict_proba" ? probabilities(link, scores, classes) : scores;
}

/** The label of one sample: of one score its sign chooses, of a response (classes,) the largest, the first of equals. `pairs` are voted on. */
export function chooseLabel(method: Method, link: Link | null, scores: Float64Array, labels: readonly Label[]): Label {
  const response =
    link === "pairs"
      ? votesOf(
          scores.map((one) => -one),
          labels.length,
        )
      : respond(method, link, scores, labels.length);
  if (scores.length === 1 && method !== "predict_proba") return labels[Number(response[0]! > 0)]!;
  const counted = link === "votes" ? response.map(Math.round) : response;
  return labels[counted.indexOf(largest(counted))]!;
}

/** One of two labels for each score. */
export function chooseLabels(scores: Float64Array, labels: readonly Label[]): Label[] {
  return Array.from(scores, (score) => labels[Number(score > 0)]!);
}

/** The scores of one sample as the probabilities of the classes, or of each label, by a link that gives them. */
export function probabilities(link: Link, scores: Float64Array, classes: number): Float64Array {
  if (link === "softmax") return softmax(scores);
  if (link === "mean_softmax") return meanOf(softmax, scores, classes, classes);
  if (link === "multilabel_logistic") return scores.map(logistic);
  if (link !== "mean_logistic") return oneVersusRest(scores.map(link === "modified_huber" ? clipped : logistic));
  return meanOf((part) => oneVersusRest(part.map(logistic)), scores, classes === 2 ? 1 : classes, classes);
}

/** The mean of the probabilities that are made of each group of scores. */
function meanOf(
  make: (part: Float64Array) => Float64Array,
  scores: Float64Array,
  group: number,
  classes: number,
): Float64Array {
  const mean = new Float64Array(classes);
  for (let first = 0; first < scores.length; first += group) {
    const part = make(scores.subarray(first, first + group));
    part.forEach((share, i) => (mean[i]! += (share * group) / scores.length));
  }
  return mean;
}

function softmax(scores: Float64Array): Float64Array {
  const highest = largest(scores);
  return normalised(scores.map((score) => Math.exp(score - highest)));
}

function largest(values: Float64Array): number {
  return values.reduce((most, value) => Math.max(most, value), -Infinity);
}

/** 1/(1 + exp(-score)), to full relative precision where it is tiny; 0 where exp(-score) is infinite, as SciPy's. */
function logistic(score: number): number {
  const small = 1 / Math.exp(Math.abs(score));
  return (score >= 0 ? 1 : small) / (1 + small);
}

/** The link of the modified Huber loss (Zhang, ICML 2004). */
function clipped(score: number): number {
  return 0.5 * (1 + Math.min(Math.max(score, -1), 1));
}

/** One share for each class, or that of the second of two. */
function oneVersusRest(positive: Float64Array): Float64Array {
  return positive.length === 1 ? Float64Array.of(1 - positive[0]!, positive[0]!) : normalised(positive);
}

/** Values that sum to 1; equal ones where all of them are 0. */
function normalised(values: Float64Array): Float64Array {
  const total = values.reduce((sum, value) => sum + value, 0);
  return values.map((value) => (total > 0 ? value / total : 1 / values.length));
}

/**
 * Votes for each class, plus its summed scores squashed into (-1/3, 1/3), as scikit-learn's. The scores are those of the
 * pairs (0, 1), (0, 2), …, (1, 2), …; a positive one votes for the second class.
 */
function oneVersusOne(scores: Float64Array, classes: number): Float64Array {
  const confidence = new Float64Array(classes);
  for (const [pair, [first, second]] of pairsOf(classes).entries()) {
    confidence[first]! -= scores[pair]!;
    confidence[second]! += scores[pair]!;
  }
  return votesOf(scores, classes).map((count, i) => count + confidence[i]! / (3 * (Math.abs(confidence[i]!) + 1)));
}

function votesOf(scores: Float64Array, classes: number): Float64Array {
  const votes = new Float64Array(classes);
  for (const [pair, [first, second]] of pairsOf(classes).entries()) votes[scores[pair]! > 0 ? second : first]! += 1;
  return votes;
}

function pairsOf(classes: number): [number, number][] {
  return Array.from({ length: classes }, (_, i) => i).flatMap((first) =>
    Array.from({ length: classes - 1 - first }, (_, i): [number, number] => [first, first + 1 + i]),
  );
}
