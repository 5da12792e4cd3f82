/** A form for tabular models: one number a feature, from the signature; many features as one line of numbers. */
import { InputError, type Signature } from "../src/index.ts";
import { rangeOf, short } from "./ranges.ts";

const MOST_FIELDS = 64;
const NUMBER = /^[+-]?(\d+([.,]\d*)?|[.,]\d+)(e[+-]?\d+)?$/i;

/** What is wrong with an input, in words for the person who typed it, and where it is. */
export class FieldError extends InputError {
  override name = "FieldError";

  constructor(
    message: string,
    readonly field: HTMLElement,
  ) {
    super(message);
  }
}

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
      help.textContent =
        signature.kind === "linear"
          ? "Every value must be in the range below it."
          : "Any number will do; below it is where the model tells numbers apart.";
      for (let i = 0; i < count; i++) fields.append(this.#field(i));
    }
    this.reset();
  }

  /** The middle of every range. */
  reset(): void {
    const { features } = this.#signature;
    const middle = Array.from({ length: features }, (_, i) => rangeOf(this.#signature, i).initial);
    this.#inputs.forEach((input, i) => (input.value = short(middle[i]!)));
    if (this.#line !== undefined) this.#line.value = middle.map(short).join(", ");
  }

  /** The numbers (d,); a decimal comma is shown as a point. Throws FieldError for the first that the model does not take. */
  values(): number[] {
    if (this.#line === undefined) return this.#inputs.map((input, i) => this.#number(input.value, i, input));
    const line = this.#line;
    const texts = line.value.trim().split(/[\s,;]+/);
    const { features } = this.#signature;
    if (texts.length !== features || line.value.trim() === "") {
      const found = line.value.trim() === "" ? "none" : String(texts.length);
      throw new FieldError(`there must be ${features} numbers, with decimal points. Got ${found} instead.`, line);
    }
    return texts.map((text, i) => this.#number(text, i, line));
  }

  #number(typed: string, feature: number, field: HTMLInputElement | HTMLTextAreaElement): number {
    const text = typed.trim();
    const name = this.#name(feature);
    const range = rangeOf(this.#signature, feature);
    if (text === "" && range.mayBeMissing) return NaN;
    if (!NUMBER.test(text)) {
      const found = text === "" ? "nothing" : `“${text}”`;
      throw new FieldError(`${name} must be a number. Got ${found} instead.`, field);
    }
    const value = Number(text.replace(",", "."));
    if (field instanceof HTMLInputElement && text.includes(",")) field.value = text.replace(",", ".");
    const must = range.must(value);
    if (must !== undefined) throw new FieldError(`${name} must be ${must}. Got ${value} instead.`, field);
    return value;
  }

  #name(feature: number): string {
    return this.#signature.featureNames?.[feature] ?? `feature ${feature}`;
  }

  #field(feature: number): HTMLLabelElement {
    const label = document.createElement("label");
    const range = document.createElement("small");
    range.textContent = rangeOf(this.#signature, feature).text;
    const input = document.createElement("input");
    input.inputMode = "decimal";
    input.autocomplete = "off";
    label.append(this.#name(feature), input, range);
    this.#inputs.push(input);
    return label;
  }
}
