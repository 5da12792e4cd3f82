/**
 * Public features that are computed before anything is encrypted: those that models of trees are made of. Kinds that are
 * not here are refused in words; Python's clients compute them.
 */
import { demand, isRecord, isWhole } from "./checks.ts";
import { InputError, UnsupportedError } from "./errors.ts";
import { featureName } from "./samples.ts";

const MAX_WIDTH = 1 << 20;
const MAX_EDGES = 1 << 20;

/** The intervals of some inputs: for every one which it is, its edges and whether it may be missing. */
export interface Intervals {
  /** How many inputs a sample has. */
  readonly inputs: number;
  /** Which of them have intervals, in order. */
  readonly columns: readonly number[];
  readonly edges: readonly Float64Array[];
  readonly missing: readonly boolean[];
}

/**
 * Read the feature map of a signature: `bins`, of some `columns` or of all inputs.
 *
 * Throws UnsupportedError for another kind, and WireError for one that is not valid.
 */
export function readIntervals(value: unknown): Intervals {
  const [block, ...more] = Array.isArray(value) ? (value as unknown[]) : [];
  if (!isRecord(block) || more.length > 0) unsupported("with categories or several kinds of features");
  if (block["kind"] === "bins") {
    const { edges, missing } = readBins(block);
    return { inputs: edges.length, columns: edges.map((_, i) => i), edges, missing };
  }
  if (block["kind"] !== "columns") unsupported(`of kind ${String(block["kind"])}`);
  const inner = block["block"];
  if (!isRecord(inner) || inner["kind"] !== "bins") unsupported("of another kind than intervals of numbers");
  const { edges, missing } = readBins(inner);
  const { columns, inputs } = block;
  demand(isWhole(inputs, 1, MAX_WIDTH), "inputs of columns must be a whole number");
  demand(
    Array.isArray(columns) && columns.length === edges.length && columns.every((one) => isWhole(one, 0, inputs - 1)),
    "columns must be numbers of inputs, one for each list of edges",
  );
  return { inputs, columns: columns as number[], edges, missing };
}

function readBins(block: Record<string, unknown>): { edges: Float64Array[]; missing: boolean[] } {
  const edges = block["edges"];
  demand(Array.isArray(edges) && edges.length >= 1 && edges.length <= MAX_WIDTH, "edges must be lists of numbers");
  const read = edges.map((one: unknown) => {
    demand(Array.isArray(one) && one.length <= MAX_EDGES && one.every(Number.isFinite), "edges must be numbers");
    const list = Float64Array.from(one as number[]);
    demand(
      list.every((edge, i) => i === 0 || edge > list[i - 1]!),
      "edges must rise",
    );
    return list;
  });
  const missing = block["missing"] ?? read.map(() => false);
  demand(
    Array.isArray(missing) && missing.length === read.length && missing.every((one) => typeof one === "boolean"),
    "missing must be a flag of each input",
  );
  return { edges: read, missing: missing as boolean[] };
}

/**
 * The interval that every input of the samples (n, inputs) is in, (n, columns): 0 to its number of edges, and one more
 * where it is missing (NaN).
 *
 * Throws InputError for NaN where it has no meaning, and for infinity.
 */
export function intervalsOf(
  one: Intervals,
  values: Float64Array,
  names: readonly string[] | null,
): Int32Array<ArrayBuffer> {
  const count = values.length / one.inputs;
  const out = new Int32Array(count * one.columns.length);
  for (let sample = 0; sample < count; sample++) {
    one.columns.forEach((column, i) => {
      const value = values[sample * one.inputs + column]!;
      const edges = one.edges[i]!;
      if (!Number.isFinite(value) && !(Number.isNaN(value) && one.missing[i]!)) {
        throw new InputError(
          `inputs must be finite. Got ${value} (sample ${sample}, ${featureName(column, names)}) instead.`,
        );
      }
      out[sample * one.columns.length + i] = Number.isNaN(value) ? edges.length + 1 : below(edges, value);
    });
  }
  return out;
}

/** How many edges are at most a value. */
function below(edges: Float64Array, value: number): number {
  let [low, high] = [0, edges.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (edges[middle]! <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function unsupported(what: string): never {
  throw new UnsupportedError(
    `the model must take numbers as they are, or their intervals. This one has public features ${what}, which clients ` +
      "compute first and @hermetic/client does not: use the Python client.",
  );
}
