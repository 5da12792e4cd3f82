/** Byte strings: hexadecimal, joining, digests and randomness, the latter two from WebCrypto. */
import { UnsupportedError } from "./errors.ts";

/** Bytes in memory that nobody shares: what WebCrypto and fetch take. */
export type Bytes = Uint8Array<ArrayBuffer>;

export function toHex(data: Uint8Array): string {
  return Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function fromHex(hex: string): Bytes {
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}

export function concat(...parts: readonly Uint8Array[]): Bytes {
  const out = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let start = 0;
  for (const part of parts) {
    out.set(part, start);
    start += part.length;
  }
  return out;
}

export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** WebCrypto. Throws UnsupportedError where the browser withholds it: pages that come over plain HTTP. */
export function subtle(): SubtleCrypto {
  const found = (globalThis.crypto as Crypto | undefined)?.subtle as SubtleCrypto | undefined;
  if (found === undefined) {
    throw new UnsupportedError(
      "encryption needs WebCrypto, which browsers give only to pages from https:// or from this computer. " +
        "Open the page over https, or on http://127.0.0.1.",
    );
  }
  return found;
}

export async function sha256(data: Bytes): Promise<Bytes> {
  return new Uint8Array(await subtle().digest("SHA-256", data));
}

export function randomBytes(count: number): Bytes {
  return crypto.getRandomValues(new Uint8Array(count));
}
