/** Reals to integers on the public grid of the inputs, and integer results back to reals. */
import { InputError } from "./errors.ts";
import { featureName } from "./samples.ts";

/** An exact grid accepts values this close to a grid point, in steps: float32 pixels divided by 255 qualify. */
const ON_GRID = 2 ** -14;

/** The same for a grid of whole numbers, which every type of float holds exactly. */
const ON_WHOLE_NUMBERS = 2 ** -32;

/** What to do with inputs that the grid does not hold; by default they are refused. */
export interface InputOptions {
  /** Use the nearest value in range for inputs out of range. */
  clip?: boolean | undefined;
  /** Round inputs to an exact grid. The guaranteed error then no longer covers the rounding. */
  roundInputs?: boolean | undefined;
}

/**
 * The public integer grid of every feature: x becomes round((x - offset)/step) in [low, high].
 *
 * `exact` says that inputs are grid points (8-bit pixels, counts).
 */
export class Grid {
  constructor(
    readonly offset: Float64Array,
    readonly step: Float64Array,
    readonly low: Float64Array,
    readonly high: Float64Array,
    readonly exact: boolean,
  ) {}

  /** d. */
  get features(): number {
    return this.step.length;
  }

  /** The real value of a feature at a whole number of steps. */
  value(feature: number, steps: number): number {
    return this.offset[feature]! + steps * this.step[feature]!;
  }

  /** Smallest real value of a feature. */
  lower(feature: number): number {
    return this.value(feature, this.low[feature]!);
  }

  /** Largest real value of a feature. */
  upper(feature: number): number {
    return this.value(feature, this.high[feature]!);
  }

  /**
   * Reals (n, d) in row order as whole numbers (n, d).
   *
   * Throws InputError for NaN or infinity; for a value out of range unless `clip`; for a value off an exact grid unless
   * `roundInputs`. `names` are those of the features, for messages.
   */
  quantize(values: Float64Array, options: InputOptions = {}, names: readonly string[] | null = null): Float64Array {
    const d = this.features;
    return values.map((value, i) => this.#one(value, i % d, Math.floor(i / d), options, names));
  }

  /** Why the grid does not hold a value of a feature; undefined if it does. */
  fault(value: number, feature: number): "finite" | "range" | "step" | undefined {
    if (!Number.isFinite(value)) return "finite";
    const position = this.#position(value, feature);
    if (position < this.low[feature]! - 0.5 || position > this.high[feature]! + 0.5) return "range";
    const off = Math.abs(position - roundHalfToEven(position));
    return this.exact && off > this.#slack(feature) ? "step" : undefined;
  }

  #position(value: number, feature: number): number {
    return (value - this.offset[feature]!) / this.step[feature]!;
  }

  #one(value: number, feature: number, sample: number, options: InputOptions, names: readonly string[] | null): number {
    const name = (): string => featureName(feature, names);
    const found = (): string => `${short(value, 9)} (sample ${sample}, ${name()})`;
    const lower = this.lower(feature);
    const upper = this.upper(feature);
    const used = options.clip ? Math.min(Math.max(value, lower), upper) : value;
    const fault = this.fault(Number.isFinite(value) ? used : value, feature);
    if (fault === "finite") throw new InputError(`inputs must be finite. Got ${found()} instead.`);
    if (fault === "range") {
      throw new InputError(
        `${name()} must be between ${short(lower, 6)} and ${short(upper, 6)}. Got ${found()} instead. ` +
          "Check the units of the data, or pass clip: true to use the nearest value in range.",
      );
    }
    if (fault === "step" && !options.roundInputs) {
      throw new InputError(
        `${name()} must be ${short(lower, 6)} plus a multiple of ${short(this.step[feature]!, 6)}. ` +
          `Got ${found()} instead. Pass roundInputs: true to round to the nearest step.`,
      );
    }
    const nearest = roundHalfToEven(this.#position(used, feature));
    return Math.min(Math.max(nearest, this.low[feature]!), this.high[feature]!);
  }

  /** How far from its grid point a value of an exact grid may be, in steps. */
  #slack(feature: number): number {
    const whole = Number.isInteger(this.step[feature]!) && Number.isInteger(this.offset[feature]!);
    return whole ? ON_WHOLE_NUMBERS : ON_GRID;
  }
}

function short(value: number, digits: number): string {
  return String(Number(value.toPrecision(digits)));
}

/** IEEE 754's default rounding, which is NumPy's. */
export function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const above = value - floor;
  if (above === 0.5) return floor % 2 === 0 ? floor : floor + 1;
  return above < 0.5 ? floor : floor + 1;
}

/** Integer results (k·limbs) of one sample, limb by limb, as k reals; the only rounding is float64's. */
export function recombine(
  results: BigInt64Array,
  limbs: number,
  limbBits: number,
  scaleExponent: number,
): Float64Array {
  const outputs = results.length / limbs;
  const out = new Float64Array(outputs);
  for (let limb = 0; limb < limbs; limb++) {
    const exponent = limbBits * limb - scaleExponent;
    for (let v = 0; v < outputs; v++) {
      out[v]! += Number(results[limb * outputs + v]!) * 2 ** exponent;
    }
  }
  return out;
}
