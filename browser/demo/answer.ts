/** The answer: a label or a value, and the scores as bars. */
import type { RemoteModel } from "../src/index.ts";
import { hasProbabilities, isMultilabel } from "../src/links.ts";

const SVG = "http://www.w3.org/2000/svg";
const MOST_BARS = 50;

interface Bar {
  name: string;
  /** 0 to 1. */
  share: number;
  value: string;
}

/** What the model says in one line, such as a label. */
export function headline(model: RemoteModel, scores: Float64Array): string {
  const prediction = model.prediction(scores);
  if (model.signature.labels !== null) return String(prediction);
  return Array.from(model.response(scores), (value) => rounded(value, model.signature.error)).join(", ");
}

/** Bars of the probabilities, or of the scores where there are none; the largest first if there are many. None for one. */
export function drawBars(target: HTMLElement, model: RemoteModel, scores: Float64Array): void {
  const bars = barsOf(model, scores);
  target.hidden = bars.length === 1;
  const best = Math.max(...bars.map((bar) => bar.share));
  const shown = bars.length > MOST_BARS ? bars.toSorted((a, b) => b.share - a.share).slice(0, MOST_BARS) : bars;
  target.replaceChildren(
    ...shown.flatMap((bar) => [text(bar.name, "name"), drawn(bar, bar.share === best), text(bar.value, "value")]),
  );
}

function barsOf(model: RemoteModel, scores: Float64Array): Bar[] {
  const { labels, link, error } = model.signature;
  if (labels !== null && hasProbabilities(link)) {
    const shares = model.probabilities(scores);
    return Array.from(shares, (share, i) => ({
      name: isMultilabel(link) ? `label ${i}` : String(labels[i]),
      share,
      value: `${(100 * share).toFixed(1)} %`,
    }));
  }
  const response = model.response(scores);
  const named = labels !== null && response.length === labels.length && !isMultilabel(link);
  const low = Math.min(...response, 0);
  const span = Math.max(...response, 0) - low || 1;
  return Array.from(response, (value, i) => ({
    name: named ? String(labels[i]) : `score ${i}`,
    share: (value - low) / span,
    value: rounded(value, error),
  }));
}

/** As many digits as the guaranteed error leaves meaning to, six at most. */
function rounded(value: number, error: number): string {
  const digits = Math.min(Math.max(Math.floor(-Math.log10(error)), 0), 6);
  return value.toFixed(digits);
}

function text(content: string, kind: string): HTMLElement {
  const span = document.createElement("span");
  span.className = kind;
  span.textContent = content;
  return span;
}

function drawn(bar: Bar, best: boolean): SVGElement {
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("viewBox", "0 0 100 10");
  picture.setAttribute("preserveAspectRatio", "none");
  picture.setAttribute("aria-hidden", "true");
  picture.append(rectangle(100, "track"), rectangle(100 * bar.share, best ? "fill best" : "fill"));
  return picture;
}

function rectangle(width: number, kind: string): SVGElement {
  const rect = document.createElementNS(SVG, "rect");
  rect.setAttribute("class", kind);
  rect.setAttribute("width", String(width));
  rect.setAttribute("height", "10");
  return rect;
}
