/** `hermetic serve`, the real one, on a free port. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";

import { PYTHON } from "./oracle.ts";

const HERMETIC = join(dirname(PYTHON), "hermetic");

export class Server {
  private constructor(
    readonly url: string,
    private readonly process: ChildProcess,
  ) {}

  /** Serve model files, or directories of them, with these further options. */
  static async start(models: readonly string[], ...options: readonly string[]): Promise<Server> {
    const fixed = ["--port", "0", "--store", "memory://", "--workers", "1", "--rescan", "0.2"];
    const server = spawn(HERMETIC, ["serve", ...models, ...fixed, ...options], { stdio: ["ignore", "ignore", "pipe"] });
    for await (const line of createInterface({ input: server.stderr })) {
      const { event, url, message } = JSON.parse(line) as Record<string, string>;
      if (event === "listening") {
        server.stderr.resume();
        return new Server(url!, server);
      }
      if (event === "fault") throw new Error(message);
    }
    throw new Error("the service ended before it listened");
  }

  async stop(): Promise<void> {
    const ended = once(this.process, "exit");
    this.process.kill("SIGTERM");
    await ended;
  }
}

/** A fresh token of a tenant, whose hash goes into this file. */
export function newToken(tenant: string, file: string): string {
  return execFileSync(HERMETIC, ["token", "new", tenant, "--file", file], { encoding: "utf8" }).trim();
}
