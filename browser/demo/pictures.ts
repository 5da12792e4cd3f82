/** Numbers as pictures: a model's input, and bytes as the noise they are. */

/** Every byte as one grey dot of a square picture. */
export function drawBytes(canvas: HTMLCanvasElement, bytes: Uint8Array): void {
  const side = Math.ceil(Math.sqrt(bytes.length));
  drawGrey(canvas, side, side, (i) => bytes[i] ?? 0);
}

/** Values of a range as shades of grey: an image of this side, or a strip of columns. */
export function drawValues(canvas: HTMLCanvasElement, shares: Float64Array, side: number | undefined): void {
  drawGrey(canvas, side ?? shares.length, side ?? 1, (i) => 255 * shares[i]!);
}

function drawGrey(canvas: HTMLCanvasElement, width: number, height: number, shade: (index: number) => number): void {
  canvas.width = width;
  canvas.height = height;
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    image.data.fill(shade(i), 4 * i, 4 * i + 3);
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d")!.putImageData(image, 0, 0);
}
