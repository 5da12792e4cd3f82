/** A drawing as the pixels of a model: cut out, scaled and centred as the images of MNIST are. */

/** MNIST's digits fill a box of 20 of the 28 pixels of a side. */
const BOX = 20 / 28;
const MNIST_SIDE = 28;

/** The darkness of every pixel of a canvas drawn white on black, 0 to 1, in row order. */
function brightness(canvas: HTMLCanvasElement): { values: Float64Array; side: number } {
  const side = canvas.width;
  const { data } = canvas.getContext("2d", { willReadFrequently: true })!.getImageData(0, 0, side, side);
  return { values: Float64Array.from({ length: side * side }, (_, i) => data[4 * i]! / 255), side };
}

interface Box {
  left: number;
  top: number;
  size: number;
}

/** The smallest square around the drawing; undefined for an empty one. */
function squareAround(values: Float64Array, side: number): Box | undefined {
  let [left, right, top, bottom] = [side, -1, side, -1];
  values.forEach((value, i) => {
    if (value < 0.1) return;
    const [x, y] = [i % side, Math.floor(i / side)];
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  });
  if (right < 0) return undefined;
  const size = Math.max(right - left, bottom - top) + 1;
  return { left: (left + right + 1 - size) / 2, top: (top + bottom + 1 - size) / 2, size };
}

/** Where the drawing's weight is, in pixels. */
function centre(values: Float64Array, side: number): [number, number] {
  let [x, y, total] = [0, 0, 0];
  values.forEach((value, i) => {
    x += value * (i % side);
    y += value * Math.floor(i / side);
    total += value;
  });
  return [x / total, y / total];
}

/** The pixels (side·side) of a drawing, 0 to 1; undefined if nothing is drawn. */
export function rasterise(canvas: HTMLCanvasElement, side: number): Float64Array | undefined {
  const drawn = brightness(canvas);
  const box = squareAround(drawn.values, drawn.side);
  if (box === undefined) return undefined;
  const inner = side === MNIST_SIDE ? Math.round(side * BOX) : side;
  const place = (dx: number, dy: number): Float64Array => sampled(canvas, box, side, inner, dx, dy);
  const middle = place((side - inner) / 2, (side - inner) / 2);
  if (inner === side) return middle;
  const [x, y] = centre(middle, side);
  const shift = (side - 1) / 2;
  return place((side - inner) / 2 + Math.round(shift - x), (side - inner) / 2 + Math.round(shift - y));
}

/** The box of a canvas, scaled to `inner` pixels, at (dx, dy) of an image of `side` pixels. */
function sampled(
  canvas: HTMLCanvasElement,
  box: Box,
  side: number,
  inner: number,
  dx: number,
  dy: number,
): Float64Array {
  const small = new OffscreenCanvas(side, side);
  const pen = small.getContext("2d")!;
  pen.fillStyle = "#000";
  pen.fillRect(0, 0, side, side);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(canvas, box.left, box.top, box.size, box.size, dx, dy, inner, inner);
  const { data } = pen.getImageData(0, 0, side, side);
  return Float64Array.from({ length: side * side }, (_, i) => data[4 * i]! / 255);
}
