/** What computes on keys, inputs and answers: in this thread, or in a worker that the secret key never leaves. */
import type { Bytes } from "./bytes.ts";
import { Client, type Progress } from "./client.ts";
import type { Samples } from "./samples.ts";
import { MismatchError } from "./errors.ts";
import type { InputOptions } from "./quantize.ts";
import { SecretKey } from "./secret-key.ts";
import { queryToBytes, resultFromBytes, sameBatch, signatureFromBytes } from "./wire.ts";

/** A stored key and what opens it. */
export interface SealedKey {
  readonly sealed: Bytes;
  readonly passphrase: string;
}

export interface EngineOptions extends InputOptions {
  /** A key to use again; by default a fresh one. */
  key?: SealedKey | undefined;
  /** Where SEAL's WebAssembly is, for bundlers that move it. */
  wasm?: string | undefined;
}

/** The public half of a key. */
export interface PublicHalf {
  /** 64 hexadecimal digits: the SHA-256 of {@link publicKey}. */
  readonly keyId: string;
  /** The envelope that the service needs once. */
  readonly publicKey: Bytes;
}

/** The one interface behind which a secret key exists. Everything that crosses it can be copied between threads. */
export interface Engine {
  /** Make or open a key for the model of this signature's envelope. */
  open(signature: Bytes, options: EngineOptions): Promise<PublicHalf>;
  /** The query's envelope. */
  encrypt(samples: Samples, progress?: Progress): Promise<Bytes>;
  /** The scores (n, k) of the answer to a query; both are envelopes. */
  decrypt(query: Bytes, result: Bytes): Promise<Float64Array>;
  /** The secret key, encrypted under a passphrase. */
  seal(passphrase: string): Promise<Bytes>;
  /** Forget the key. */
  close(): void;
}

/** The engine itself, in whichever thread it is made. */
export class LocalEngine implements Engine {
  #client: Client | undefined;

  async open(envelope: Bytes, options: EngineOptions): Promise<PublicHalf> {
    const signature = await signatureFromBytes(envelope);
    const { key, wasm } = options;
    const secretKey =
      key === undefined
        ? await SecretKey.generate(signature.parameters, wasm)
        : await SecretKey.open(key.sealed, key.passphrase, wasm);
    this.#client = new Client(signature, secretKey, options);
    return { keyId: secretKey.keyId, publicKey: secretKey.publicKey };
  }

  async encrypt(samples: Samples, progress?: Progress): Promise<Bytes> {
    return queryToBytes(await this.#opened().encrypt(samples, progress));
  }

  async decrypt(query: Bytes, result: Bytes): Promise<Float64Array> {
    const client = this.#opened();
    const answer = await resultFromBytes(result, client.signature);
    if (!sameBatch(query, result)) {
      throw new MismatchError(
        "the result must answer the query that was sent. It answers another query, or another key.",
      );
    }
    return client.decrypt(answer);
  }

  async seal(passphrase: string): Promise<Bytes> {
    return this.#opened().secretKey.seal(passphrase);
  }

  close(): void {
    this.#client?.secretKey.ringKey.forget();
    this.#client = undefined;
  }

  #opened(): Client {
    if (this.#client === undefined) throw new MismatchError("the engine must be opened for a model first.");
    return this.#client;
  }
}
