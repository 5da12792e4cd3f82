/** The drawing area: mouse, touch and pen through pointer events, and a pen that the keyboard moves. */
import type { Stroke } from "./strokes.ts";

const KEY_STEP = 1 / 28;
const PEN_WIDTH = 1 / 14;
const MOVES: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** What the page does when something happens here. */
export interface PadEvents {
  /** The drawing is changing. */
  changed(): void;
  /** The drawing changed and the pen was lifted. */
  drawn(): void;
  /** Enter was pressed. */
  entered(): void;
}

export class Pad {
  /** The drawing alone, without the keyboard's pen: white on black. */
  readonly drawing: HTMLCanvasElement;
  readonly #canvas: HTMLCanvasElement;
  readonly #status: HTMLElement;
  readonly #events: PadEvents;
  #last: readonly [number, number] | undefined;
  #pen: readonly [number, number] = [0.5, 0.5];
  #down = false;
  #keys = false;

  constructor(canvas: HTMLCanvasElement, status: HTMLElement, events: PadEvents) {
    this.#canvas = canvas;
    this.#status = status;
    this.#events = events;
    this.drawing = document.createElement("canvas");
    this.drawing.width = canvas.width;
    this.drawing.height = canvas.height;
    canvas.addEventListener("pointerdown", (event) => this.#start(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", () => this.#end());
    canvas.addEventListener("pointercancel", () => this.#end());
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("blur", () => this.#showPen(false));
    this.clear();
  }

  clear(): void {
    clear(this.drawing);
    this.#down = false;
    this.#show();
  }

  /** Draw these strokes instead of what is there. */
  draw(strokes: readonly Stroke[]): void {
    clear(this.drawing);
    drawStrokes(this.drawing, strokes);
    this.#show();
  }

  #start(event: PointerEvent): void {
    if (!event.isPrimary || event.button !== 0) return;
    event.preventDefault();
    this.#canvas.focus({ preventScroll: true });
    this.#showPen(false);
    this.#canvas.setPointerCapture(event.pointerId);
    this.#last = this.#place(event);
    this.#line(this.#last, this.#last);
  }

  #move(event: PointerEvent): void {
    if (this.#last === undefined || !event.isPrimary) return;
    const events = event.getCoalescedEvents();
    for (const one of events.length > 0 ? events : [event]) {
      const place = this.#place(one);
      this.#line(this.#last, place);
      this.#last = place;
    }
  }

  #end(): void {
    if (this.#last === undefined) return;
    this.#last = undefined;
    this.#events.drawn();
  }

  #place(event: PointerEvent): readonly [number, number] {
    const box = this.#canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  #key(event: KeyboardEvent): void {
    const move = MOVES[event.key];
    if (move !== undefined) {
      const [x, y] = this.#pen;
      const next = [within(x + move[0] * KEY_STEP), within(y + move[1] * KEY_STEP)] as const;
      if (this.#down) this.#line(this.#pen, next);
      this.#pen = next;
    } else if (event.key === " ") {
      this.#down = !this.#down;
      if (this.#down) this.#line(this.#pen, this.#pen);
      else this.#events.drawn();
    } else if (event.key === "Enter") {
      this.#events.entered();
    } else {
      return;
    }
    event.preventDefault();
    this.#showPen(true);
  }

  #line(from: readonly [number, number], to: readonly [number, number]): void {
    this.#events.changed();
    drawStrokes(this.drawing, [[from, to]]);
    this.#show();
  }

  #showPen(keys: boolean): void {
    this.#keys = keys;
    const text = keys ? `Pen ${this.#down ? "down" : "up"}` : "";
    if (this.#status.textContent !== text) this.#status.textContent = text;
    this.#show();
  }

  #show(): void {
    const pen = this.#canvas.getContext("2d")!;
    pen.drawImage(this.drawing, 0, 0);
    if (!this.#keys) return;
    const side = this.#canvas.width;
    pen.strokeStyle = this.#down ? "#5fd0bf" : "#f2f7f6";
    pen.lineWidth = 4;
    pen.beginPath();
    pen.arc(this.#pen[0] * side, this.#pen[1] * side, (side * PEN_WIDTH) / 2, 0, 2 * Math.PI);
    pen.stroke();
  }
}

function within(value: number): number {
  return Math.min(Math.max(value, 0), 1);
}

function clear(canvas: HTMLCanvasElement): void {
  const pen = canvas.getContext("2d", { willReadFrequently: true })!;
  pen.fillStyle = "#000";
  pen.fillRect(0, 0, canvas.width, canvas.height);
}

/** White strokes, as wide as MNIST's. */
export function drawStrokes(canvas: HTMLCanvasElement, strokes: readonly Stroke[]): void {
  const pen = canvas.getContext("2d", { willReadFrequently: true })!;
  const side = canvas.width;
  pen.strokeStyle = "#fff";
  pen.lineWidth = side * PEN_WIDTH;
  pen.lineCap = "round";
  pen.lineJoin = "round";
  for (const stroke of strokes) {
    pen.beginPath();
    stroke.forEach(([x, y], i) => (i === 0 ? pen.moveTo(x * side, y * side) : pen.lineTo(x * side, y * side)));
    if (stroke.length > 0) pen.lineTo(stroke.at(-1)![0] * side, stroke.at(-1)![1] * side);
    pen.stroke();
  }
}
