/**
 * The secret key, and its form under a passphrase.
 *
 * A stored key is
 *
 *     "HRMB" | version 1 | salt (16) | nonce (12) | AES-256-GCM ciphertext
 *
 * with everything before the ciphertext authenticated. The key of the cipher is PBKDF2-HMAC-SHA-256 of the passphrase;
 * the plaintext is
 *
 *     parameter digest (16) | the N coefficients of s, each plus 1, in 2 bits | the public key's envelope
 */
import { pack, packedBytes, unpack } from "./bitpacking.ts";
import { type Bytes, concat, fromHex, randomBytes, sha256, subtle, toHex } from "./bytes.ts";
import { HermeticError, KeyStoreError } from "./errors.ts";
import { type Parameters, parametersFor } from "./parameters.ts";
import type { Polynomial } from "./residues.ts";
import { Ring, RingSecretKey } from "./ring.ts";
import { PUBLIC_KEY_DOMAIN, SEED_BYTES, expand } from "./seeds.ts";
import { publicKeyFromBytes, publicKeyToBytes } from "./wire.ts";

const MAGIC = "HRMB";
const VERSION = 1;
const SALT_BYTES = 16;
const NONCE_BYTES = 12;
const HEADER_BYTES = MAGIC.length + 1 + SALT_BYTES + NONCE_BYTES;
const DIGEST_BYTES = 16;
const TERNARY_BITS = 2;

/** What OWASP recommends for PBKDF2-HMAC-SHA-256 (2023). */
const PBKDF2_ITERATIONS = 600_000;

/**
 * A client's secret key with its public key. Whoever has it reads every query and result of this client.
 *
 * It leaves this object only encrypted under a passphrase, through {@link seal}.
 */
export class SecretKey {
  private constructor(
    readonly parameters: Parameters,
    readonly ring: Ring,
    readonly ringKey: RingSecretKey,
    /** What servers need once, to mask answers with: the public key's envelope. */
    readonly publicKey: Bytes,
    /** 64 hexadecimal digits: the SHA-256 of {@link publicKey}. */
    readonly keyId: string,
  ) {}

  /** A fresh key from SEAL's key generator. `wasm` is where SEAL's WebAssembly is, for bundlers that move it. */
  static async generate(parameters: Parameters, wasm?: string): Promise<SecretKey> {
    const ring = await Ring.of(parameters, wasm);
    const ringKey = new RingSecretKey(ring);
    const seed = randomBytes(SEED_BYTES);
    const a = await expand(PUBLIC_KEY_DOMAIN, seed, 0, parameters, parameters.keyPrimes);
    return SecretKey.#with(ring, ringKey, await publicKeyToBytes({ parameters, seed, b: ringKey.publicKey(a) }));
  }

  static async #with(ring: Ring, ringKey: RingSecretKey, publicKey: Bytes): Promise<SecretKey> {
    return new SecretKey(ring.parameters, ring, ringKey, publicKey, toHex(await sha256(publicKey)));
  }

  /** The key, encrypted under a passphrase. */
  async seal(passphrase: string): Promise<Bytes> {
    if (passphrase === "") throw new KeyStoreError("the passphrase must not be empty.");
    const version = Uint8Array.of(...new TextEncoder().encode(MAGIC), VERSION);
    const header = concat(version, randomBytes(SALT_BYTES), randomBytes(NONCE_BYTES));
    const cipher = await cipherOf(header, passphrase);
    const sealed = await subtle().encrypt(gcm(header), cipher, this.#plaintext());
    return concat(header, new Uint8Array(sealed));
  }

  /** The key that {@link seal} encrypted. Throws KeyStoreError for damaged bytes or a wrong passphrase. */
  static async open(sealed: Bytes, passphrase: string, wasm?: string): Promise<SecretKey> {
    const magic = String.fromCharCode(...sealed.subarray(0, MAGIC.length));
    if (sealed.length < HEADER_BYTES || magic !== MAGIC || sealed[MAGIC.length] !== VERSION) {
      throw new KeyStoreError("a stored key must start with HRMB and version 1. This one does not: make a new key.");
    }
    const header = sealed.subarray(0, HEADER_BYTES);
    const cipher = await cipherOf(header, passphrase);
    const plaintext = await subtle()
      .decrypt(gcm(header), cipher, sealed.subarray(HEADER_BYTES))
      .catch(() => {
        throw new KeyStoreError("the passphrase is wrong, or the stored key is damaged.");
      });
    return SecretKey.#fromPlaintext(new Uint8Array(plaintext), wasm);
  }

  #plaintext(): Bytes {
    const first = this.parameters.keyPrimes[0]!;
    const [coefficients] = this.ring.intt(this.ringKey.rows().slice(0, 1));
    const ternary = coefficients!.map((one) => (one === first - 1 ? 0 : one + 1));
    return concat(fromHex(this.parameters.digest), pack(ternary, TERNARY_BITS), this.publicKey);
  }

  static async #fromPlaintext(plaintext: Bytes, wasm?: string): Promise<SecretKey> {
    try {
      const parameters = parametersFor(plaintext.subarray(0, DIGEST_BYTES));
      const n = parameters.ringDegree;
      const split = DIGEST_BYTES + packedBytes(n, TERNARY_BITS);
      const ternary = unpack(plaintext.subarray(DIGEST_BYTES, split), n, TERNARY_BITS);
      const publicKey = plaintext.slice(split);
      await publicKeyFromBytes(publicKey);
      const rows: Polynomial = parameters.keyPrimes.map((prime) =>
        ternary.map((digit) => (digit === 0 ? prime - 1 : digit - 1)),
      );
      const ring = await Ring.of(parameters, wasm);
      return await SecretKey.#with(ring, new RingSecretKey(ring, ring.ntt(rows)), publicKey);
    } catch (error) {
      if (!(error instanceof HermeticError)) throw error;
      throw new KeyStoreError(`the stored key was made by another version of Hermetic: ${error.message}`);
    }
  }

  toJSON(): string {
    return "SecretKey(<hidden>)";
  }
}

function gcm(header: Bytes): AesGcmParams {
  return { name: "AES-GCM", iv: header.slice(HEADER_BYTES - NONCE_BYTES), additionalData: header };
}

async function cipherOf(header: Bytes, passphrase: string): Promise<CryptoKey> {
  const start = MAGIC.length + 1;
  const salt = header.slice(start, start + SALT_BYTES);
  const bytes = new TextEncoder().encode(passphrase);
  const base = await subtle().importKey("raw", bytes, "PBKDF2", false, ["deriveKey"]);
  const derivation = { name: "PBKDF2", hash: "SHA-256", salt, iterations: PBKDF2_ITERATIONS };
  return subtle().deriveKey(derivation, base, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}
