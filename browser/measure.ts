/**
 * What the page costs in a real Chromium, as JSON: `node measure.ts URL MODEL REPEAT` for a service that serves an image
 * model there. Medians in ms; every answer comes from the service.
 */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import type { Page, Worker } from "playwright-core";

import { openChromium } from "./test/chromium.ts";

const SHIPPED = fileURLToPath(new URL("../src/hermetic/serve/assets", import.meta.url));

function bundleBytes(): number {
  const entries = readdirSync(SHIPPED, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
  return entries.reduce((sum, one) => sum + gzipSync(readFileSync(join(one.parentPath, one.name))).length, 0);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

async function number(page: Page, selector: string, pattern: RegExp): Promise<number> {
  const text = (await page.locator(selector).textContent())!;
  return Number(pattern.exec(text)![1]);
}

/** Milliseconds of each generation of a key in the page's own worker, the model's signature read included. */
async function keyTimes(worker: Worker, signature: readonly number[], repeat: number): Promise<number[]> {
  return worker.evaluate(
    async ([bytes, count]) => {
      const post = globalThis.postMessage;
      const times: number[] = [];
      for (let id = -2; id < count; id++) {
        const began = performance.now();
        await new Promise<unknown>((resolve) => {
          globalThis.postMessage = resolve;
          const data = { id, method: "open", parameters: [new Uint8Array(bytes), {}] };
          globalThis.dispatchEvent(new MessageEvent("message", { data }));
        });
        if (id >= 0) times.push(performance.now() - began);
      }
      globalThis.postMessage = post;
      return times;
    },
    [signature, repeat] as const,
  );
}

const [url, model, repeat] = [process.argv[2]!, process.argv[3]!, Number(process.argv[4])];
const browser = await openChromium();
try {
  const page = await (await browser.newContext()).newPage();
  let requestBytes = 0;
  page.on("request", (request) => {
    const head = Number(request.headers()["inference-header-content-length"]);
    if (request.url().endsWith("/infer")) requestBytes = request.postDataBuffer()!.length - head;
  });
  await page.goto(url);
  await page.locator("#state[data-state=ready]").waitFor();
  const readyMs = await number(page, "#about", /Ready in ([\d.]+) ms/);
  const times: Record<"encrypt" | "decrypt" | "total", number[]> = { encrypt: [], decrypt: [], total: [] };
  await page.getByRole("button", { name: "Example: 5" }).click();
  for (let i = -5; i < repeat; i++) {
    const answered = page.waitForResponse((response) => response.url().endsWith("/infer"));
    await page.locator("#ask").click();
    await answered;
    await page.locator("#state[data-state=ready]").waitFor();
    if (i < 0) continue;
    times.encrypt.push(await number(page, "#fact-query", /^([\d.]+) ms/));
    times.decrypt.push(await number(page, "#fact-result", /^([\d.]+) ms/));
    times.total.push(await number(page, "#total", /^([\d.]+) ms/));
  }
  const signature = new Uint8Array(await (await fetch(new URL(`models/${model}/signature`, url))).arrayBuffer());
  const keys = await keyTimes(page.workers()[0]!, [...signature], repeat);
  console.log(
    JSON.stringify({
      bundleBytes: bundleBytes(),
      readyMs,
      keyMs: median(keys),
      encryptMs: median(times.encrypt),
      decryptMs: median(times.decrypt),
      totalMs: median(times.total),
      requestBytes,
    }),
  );
} finally {
  await browser.close();
}
