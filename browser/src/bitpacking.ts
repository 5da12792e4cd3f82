/**
 * Fixed-width bit packing of unsigned words below 2^50, least significant bit first.
 *
 * Word i of w bits occupies bits i·w to i·w + w - 1 of one little-endian bit string. Lengths are padded with zero words
 * to a whole number of groups, the fewest words that fill whole 64-bit limbs.
 */
import type { Bytes } from "./bytes.ts";
import { WireError } from "./errors.ts";

const TWO_32 = 2 ** 32;

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

/** Bytes that `count` words of `width` bits take when packed. */
export function packedBytes(count: number, width: number): number {
  const group = 64 / gcd(width, 64);
  return (Math.ceil(count / group) * group * width) / 8;
}

/** Words, each a whole number in [0, 2^width), as bytes. */
export function pack(words: Float64Array, width: number): Bytes {
  const out = new Uint32Array(packedBytes(words.length, width) / 4 + 2);
  let index = 0;
  let shift = 0;
  for (const word of words) {
    const high = Math.floor(word / TWO_32);
    put(out, index, shift, word - high * TWO_32);
    if (width > 32) put(out, index + 1, shift, high);
    shift += width;
    index += shift >>> 5;
    shift &= 31;
  }
  return new Uint8Array(out.buffer, 0, 4 * (out.length - 2));
}

function put(out: Uint32Array, index: number, shift: number, limb: number): void {
  out[index]! |= limb << shift;
  if (shift !== 0) out[index + 1]! |= limb >>> (32 - shift);
}

/** The words that {@link pack} wrote. Throws WireError if the length is wrong or a padding bit is set. */
export function unpack(data: Uint8Array, count: number, width: number): Float64Array<ArrayBuffer> {
  const expected = packedBytes(count, width);
  if (data.length !== expected) {
    throw new WireError(`${count} words of ${width} bits must take ${expected} bytes. Got ${data.length} instead.`);
  }
  const limbs = new Uint32Array(expected / 4 + 2);
  new Uint8Array(limbs.buffer).set(data);
  const out = new Float64Array(count);
  const lowMask = width >= 32 ? TWO_32 - 1 : 2 ** width - 1;
  const highMask = width > 32 ? 2 ** (width - 32) - 1 : 0;
  let index = 0;
  let shift = 0;
  for (let i = 0; i < count; i++) {
    const low = (get(limbs, index, shift) & lowMask) >>> 0;
    out[i] = highMask === 0 ? low : (get(limbs, index + 1, shift) & highMask) * TWO_32 + low;
    shift += width;
    index += shift >>> 5;
    shift &= 31;
  }
  const padding = limbs[index]! >>> shift !== 0 || limbs.subarray(index + 1).some((limb) => limb !== 0);
  if (padding) throw new WireError("padding bits must be zero. Some are set.");
  return out;
}

function get(limbs: Uint32Array, index: number, shift: number): number {
  const low = limbs[index]! >>> shift;
  return (shift === 0 ? low : low | (limbs[index + 1]! << (32 - shift))) >>> 0;
}
