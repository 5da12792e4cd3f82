/** The Python package as the other side of the wire. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { createInterface } from "node:readline";

import type { Bytes } from "../src/bytes.ts";

export const PYTHON =
  process.env["HERMETIC_PYTHON"] ?? fileURLToPath(new URL("../../.venv/bin/python", import.meta.url));
const SCRIPT = fileURLToPath(new URL("oracle.py", import.meta.url));

// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Answer = Record<string, any>;

export class Oracle {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor() {
    this.#process = spawn(PYTHON, [SCRIPT], { stdio: ["pipe", "pipe", "inherit"] });
    this.#lines = createInterface({ input: this.#process.stdout! })[Symbol.asyncIterator]();
  }

  async call(method: string, parameters: object): Promise<Answer> {
    this.#process.stdin!.write(`${JSON.stringify({ [method]: parameters })}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("the oracle ended");
    return JSON.parse(value) as Answer;
  }

  close(): void {
    this.#process.stdin!.end();
  }
}

export function base64(data: Uint8Array): string {
  return Buffer.from(data).toString("base64");
}

export function bytes(text: string): Bytes {
  return new Uint8Array(Buffer.from(text, "base64"));
}
