/** The worker's script: an engine that answers messages. The secret key never leaves this thread in the clear. */
import { LocalEngine } from "./engine.ts";
import type { Call, Reply } from "./worker-engine.ts";

const engine = new LocalEngine();

addEventListener("message", ({ data }: MessageEvent<Call>) => void answer(data));

async function answer(call: Call): Promise<void> {
  try {
    reply({ id: call.id, value: await run(call) });
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    reply({ id: call.id, error: { name, message } });
  }
}

function run(call: Call): Promise<unknown> {
  switch (call.method) {
    case "open":
      return engine.open(...call.parameters);
    case "encrypt":
      return engine.encrypt(call.parameters[0], (done, total) => reply({ id: call.id, progress: [done, total] }));
    case "decrypt":
      return engine.decrypt(...call.parameters);
    case "seal":
      return engine.seal(...call.parameters);
  }
}

function reply(message: Reply): void {
  postMessage(message);
}
