/** Values of a signature's JSON, checked one by one as they are read. Each throws WireError. */
import { WireError } from "./errors.ts";

const MAX_CHARACTERS = 1000;

/** Refuse the signature unless the condition holds. */
export function demand(condition: boolean, message: string): asserts condition {
  if (!condition) throw new WireError(`the signature is not valid: ${message}.`);
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isWhole(value: unknown, low: number, high: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && low <= value && value <= high;
}

/** An object with these fields, in order, and no others. */
export function object(value: unknown, fields: readonly string[], name: string): Record<string, unknown> {
  demand(isRecord(value), `${name} must be a JSON object`);
  const found = Object.keys(value).sort();
  const same = found.length === fields.length && found.every((field, i) => field === fields[i]);
  demand(same, `${name} must have the fields ${fields.join(", ")}, and no others`);
  return value;
}

/** A finite number. */
export function number(value: unknown, name: string): number {
  demand(typeof value === "number" && Number.isFinite(value), `${name} must be a finite number`);
  return value;
}

/** A whole number in a range. */
export function whole(value: unknown, low: number, high: number, name: string): number {
  demand(isWhole(value, low, high), `${name} must be a whole number, ${low} to ${high}`);
  return value;
}

/** A string of a reasonable length. */
export function text(value: unknown, name: string): string {
  const fits = typeof value === "string" && value.length <= MAX_CHARACTERS;
  demand(fits, `${name} must be a string of at most ${MAX_CHARACTERS} characters`);
  return value;
}
