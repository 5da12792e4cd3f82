/** Example digits as pen strokes: points in a unit square, y downwards; the pen is lifted between strokes. */
export type Point = readonly [x: number, y: number];
export type Stroke = readonly Point[];

/** Points on an ellipse, from one angle to another, in turns; 0 is to the right, growing clockwise. */
function arc(cx: number, cy: number, rx: number, ry: number, from: number, to: number): Stroke {
  const steps = 24;
  return Array.from({ length: steps + 1 }, (_, i) => {
    const angle = 2 * Math.PI * (from + ((to - from) * i) / steps);
    return [cx + rx * Math.cos(angle), cy + ry * Math.sin(angle)];
  });
}

/** The digits 0 to 9. */
export const DIGITS: readonly (readonly Stroke[])[] = [
  [arc(0.5, 0.5, 0.22, 0.34, -0.25, 0.75)],
  [
    [
      [0.56, 0.16],
      [0.5, 0.5],
      [0.45, 0.84],
    ],
  ],
  [[...arc(0.48, 0.33, 0.2, 0.17, -0.5, 0.06), [0.55, 0.55], [0.28, 0.82], [0.5, 0.8], [0.74, 0.83]]],
  [[...arc(0.46, 0.32, 0.19, 0.16, -0.45, 0.2), ...arc(0.46, 0.66, 0.22, 0.18, -0.22, 0.42)]],
  [
    [
      [0.34, 0.18],
      [0.28, 0.5],
      [0.66, 0.5],
    ],
    [
      [0.66, 0.2],
      [0.6, 0.85],
    ],
  ],
  [[[0.7, 0.18], [0.4, 0.19], [0.34, 0.46], ...arc(0.46, 0.64, 0.22, 0.19, -0.3, 0.42)]],
  [[[0.62, 0.14], [0.42, 0.36], [0.33, 0.6], ...arc(0.49, 0.67, 0.16, 0.16, 0.5, 1.5)]],
  [
    [
      [0.27, 0.22],
      [0.5, 0.21],
      [0.72, 0.2],
      [0.58, 0.5],
      [0.46, 0.85],
    ],
  ],
  [[...arc(0.5, 0.32, 0.15, 0.15, 0.25, 1.25), ...arc(0.48, 0.66, 0.18, 0.18, -0.25, 0.75)]],
  [[...arc(0.49, 0.34, 0.17, 0.17, 0, -1), [0.66, 0.34], [0.62, 0.6], [0.56, 0.86]]],
];
