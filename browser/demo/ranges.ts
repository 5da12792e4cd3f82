/** What the page says of every value that a model takes, whatever its circuit. */
import { type Signature } from "../src/index.ts";

export interface Range {
  /** What is shown below the field. */
  readonly text: string;
  /** What the field holds at first. */
  readonly initial: number;
  /** Whether it may be left empty. */
  readonly mayBeMissing: boolean;
  /** What a value must be that is not; undefined for one that the model takes. */
  must(value: number): string | undefined;
  /** Where a value is between the smallest and the largest, 0 to 1. */
  share(value: number): number;
}

/** The range of one value of a sample. */
export function rangeOf(signature: Signature, feature: number): Range {
  if (signature.kind === "trees") {
    const place = signature.intervals.columns.indexOf(feature);
    return place < 0
      ? ofAnything("not used", 0, 1, true)
      : ofThresholds(signature.intervals.edges[place]!, signature.intervals.missing[place]!);
  }
  const { grid } = signature;
  const [lower, upper] = [grid.lower(feature), grid.upper(feature)];
  const step = grid.step[feature]!;
  return {
    text: `${short(lower)} to ${short(upper)}`,
    initial: grid.value(feature, Math.round((grid.low[feature]! + grid.high[feature]!) / 2)),
    mayBeMissing: false,
    must(value) {
      const fault = grid.fault(value, feature);
      if (fault === undefined) return undefined;
      if (fault !== "step") return `between ${short(lower)} and ${short(upper)}`;
      return step === 1 && Number.isInteger(lower)
        ? "a whole number"
        : `${short(lower)} plus a multiple of ${short(step)}`;
    },
    share: (value) => (value - lower) / (upper - lower || 1),
  };
}

function ofThresholds(edges: Float64Array, mayBeMissing: boolean): Range {
  if (edges.length === 0) return ofAnything("or nothing", 0, 1, mayBeMissing);
  const [first, last] = [edges[0]!, edges[edges.length - 1]!];
  const around = first === last ? `around ${short(first)}` : `around ${short(first)} to ${short(last)}`;
  return ofAnything(mayBeMissing ? `${around}, or nothing` : around, first, last, mayBeMissing);
}

function ofAnything(text: string, first: number, last: number, mayBeMissing: boolean): Range {
  return {
    text,
    initial: Number(((first + last) / 2).toPrecision(6)),
    mayBeMissing,
    must: () => undefined,
    share: (value) => Math.min(1, Math.max(0, (value - first) / (last - first || 1))),
  };
}

export function short(value: number): string {
  return String(Number(value.toPrecision(6)));
}
