/** A form for tabular models: one number a feature, from the signature; many features as one line of numbers. */
import { InputError, type Signature } from "../src/index.ts";

const MOST_FIELDS = 64;

export class Table {
  readonly #inputs: HTMLInputElement[] = [];
  readonly #line: HTMLTextAreaElement | undefined;
  readonly #signature: Signature;

  constructor(fields: HTMLElement, help: HTMLElement, signature: Signature) {
    this.#signature = signature;
    fields.replaceChildren();
    const count = signature.features;
    if (count > MOST_FIELDS) {
      help.textContent = `${count} numbers, separated by commas or spaces.`;
      this.#line = document.createElement("textarea");
      this.#line.setAttribute("aria-label", `The ${count} numbers`);
      fields.append(this.#line);
    } else {
      help.textContent = "Every value must be in the range below it.";
      for (let i = 0; i < count; i++) fields.append(this.#field(i));
    }
    this.reset();
  }

  /** The middle of every range. */
  reset(): void {
    const { grid, features } = this.#signature;
    const middle = Array.from({ length: features }, (_, i) =>
      grid.value(i, Math.round((grid.low[i]! + grid.high[i]!) / 2)),
    );
    this.#inputs.forEach((input, i) => (input.value = short(middle[i]!)));
    if (this.#line !== undefined) this.#line.value = middle.map(short).join(", ");
  }

  /** The numbers (d,). Throws InputError for something that is no number. */
  values(): number[] {
    const texts =
      this.#line === undefined ? this.#inputs.map((one) => one.value) : this.#line.value.trim().split(/[\s,;]+/);
    return texts.map((text, i) => {
      const value = text.trim() === "" ? Number.NaN : Number(text);
      if (Number.isNaN(value)) {
        throw new InputError(
          `${this.#name(i)} must be a number. Got ${text.trim() === "" ? "nothing" : `“${text}”`} instead.`,
        );
      }
      return value;
    });
  }

  /** A message about a column, with its name as it stands above the field. */
  named(message: string): string {
    const names = this.#signature.featureNames ?? [];
    return names.reduce((text, name) => text.replaceAll(`column '${name}'`, name), message);
  }

  #name(feature: number): string {
    return this.#signature.featureNames?.[feature] ?? `feature ${feature}`;
  }

  #field(feature: number): HTMLLabelElement {
    const { grid } = this.#signature;
    const label = document.createElement("label");
    const range = document.createElement("small");
    range.textContent = `${short(grid.lower(feature))} to ${short(grid.upper(feature))}`;
    const input = document.createElement("input");
    input.inputMode = "decimal";
    input.autocomplete = "off";
    label.append(this.#name(feature), input, range);
    this.#inputs.push(input);
    return label;
  }
}

function short(value: number): string {
  return String(Number(value.toPrecision(6)));
}
