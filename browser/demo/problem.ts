/** What went wrong, said where the person is: beside the field that must change, in view, with the focus on it. */
import { HermeticError, SignatureChangedError } from "../src/index.ts";
import { FieldError } from "./table.ts";

const AROUND = "label, .easel, .row";

export class Problem {
  readonly #box: HTMLElement;
  readonly #places: readonly HTMLElement[];
  #field: HTMLElement | undefined;

  /** `places`: what the message stands before where no field is wrong, in the order of preference: the first in sight. */
  constructor(box: HTMLElement, places: readonly HTMLElement[]) {
    this.#box = box;
    this.#places = places;
  }

  /** Show an error, beside its field if it has one. */
  show(error: unknown, field = error instanceof FieldError ? error.field : undefined): void {
    this.hide();
    this.#box.textContent = words(error);
    this.#box.hidden = false;
    if (field === undefined) this.#place();
    else this.#mark(field);
    const target = field ?? this.#box;
    target.focus({ preventScroll: true });
    target.scrollIntoView({ block: "center" });
    if (!(error instanceof HermeticError)) console.error(error);
  }

  hide(): void {
    if (this.#box.hidden) return;
    this.#box.hidden = true;
    this.#place();
    this.#field?.removeAttribute("aria-invalid");
    this.#field?.removeAttribute("aria-errormessage");
    this.#field = undefined;
  }

  #place(): void {
    const seen = this.#places.find((one) => one.getClientRects().length > 0) ?? this.#places.at(-1)!;
    seen.before(this.#box);
  }

  #mark(field: HTMLElement): void {
    (field.closest(AROUND) ?? field).after(this.#box);
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-errormessage", this.#box.id);
    this.#field = field;
  }
}

/** An error as a sentence. */
export function words(error: unknown): string {
  if (!(error instanceof HermeticError)) return `The page failed: ${String(error)}`;
  const { message } = error;
  const sentence = /^https?:/.test(message)
    ? `The service at ${message}`
    : message.charAt(0).toUpperCase() + message.slice(1);
  return error instanceof SignatureChangedError ? `${sentence} Load this page again.` : sentence;
}
