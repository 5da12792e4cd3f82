/** The engine in a worker, seen from the page. */
import type { Bytes } from "./bytes.ts";
import type { Progress } from "./client.ts";
import type { Samples } from "./samples.ts";
import type { Engine, EngineOptions, PublicHalf } from "./engine.ts";
import { HermeticError, LOCAL_ERRORS, UnsupportedError } from "./errors.ts";

type Method = "open" | "encrypt" | "decrypt" | "seal";

/** A message to the worker. */
export type Call = { [M in Method]: { id: number; method: M; parameters: Head<Parameters<Engine[M]>, M> } }[Method];
type Head<P extends readonly unknown[], M extends Method> = M extends "encrypt" ? [P[0]] : P;

/** A message from the worker: the value or the error that ends a call, or its progress. */
export type Reply =
  | { id: number; value: unknown }
  | { id: number; error: { name: string; message: string } }
  | { id: number; progress: [done: number, total: number] };

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
  progress: Progress | undefined;
}

export class WorkerEngine implements Engine {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #calls = 0;

  constructor(worker: Worker) {
    this.#worker = worker;
    worker.addEventListener("message", ({ data }: MessageEvent<Reply>) => this.#receive(data));
    worker.addEventListener("error", (event) => {
      this.#fail(
        new UnsupportedError(`the worker must start. It does not: ${event.message || "its script is missing"}.`),
      );
    });
  }

  open(signature: Bytes, options: EngineOptions): Promise<PublicHalf> {
    return this.#call({ id: this.#next(), method: "open", parameters: [signature, options] });
  }

  encrypt(samples: Samples, progress?: Progress): Promise<Bytes> {
    return this.#call({ id: this.#next(), method: "encrypt", parameters: [samples] }, progress);
  }

  decrypt(query: Bytes, result: Bytes): Promise<Float64Array> {
    return this.#call({ id: this.#next(), method: "decrypt", parameters: [query, result] });
  }

  seal(passphrase: string): Promise<Bytes> {
    return this.#call({ id: this.#next(), method: "seal", parameters: [passphrase] });
  }

  close(): void {
    this.#worker.terminate();
    this.#fail(new HermeticError("the connection is closed. Connect again."));
  }

  #next(): number {
    return this.#calls++;
  }

  #call<T>(call: Call, progress?: Progress): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#pending.set(call.id, { resolve: resolve as (value: unknown) => void, reject, progress });
      this.#worker.postMessage(call);
    });
  }

  #receive(reply: Reply): void {
    const pending = this.#pending.get(reply.id);
    if (pending === undefined) return;
    if ("progress" in reply) {
      pending.progress?.(...reply.progress);
      return;
    }
    this.#pending.delete(reply.id);
    if ("error" in reply) pending.reject(revive(reply.error));
    else pending.resolve(reply.value);
  }

  #fail(error: Error): void {
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}

function revive({ name, message }: { name: string; message: string }): Error {
  const kind = LOCAL_ERRORS.get(name);
  return kind === undefined ? new Error(message) : new kind(message);
}
