/** The page in a real Chromium, over the real service, with a classifier of real MNIST. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { BrowserContextOptions, Locator, Page } from "playwright-core";

import { DIGITS, type Stroke } from "../demo/strokes.ts";
import { openChromium } from "./chromium.ts";
import { type Answer, Oracle } from "./oracle.ts";
import { Server, newToken } from "./server.ts";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const ROOT = fileURLToPath(new URL("..", import.meta.url));
const PICTURES = join(ROOT, "pictures");
const QUICK = 80_000;

const folder = mkdtempSync(join(tmpdir(), "hermetic-"));
const models = join(folder, "models");
const tokens = join(folder, "tokens");
mkdirSync(PICTURES, { recursive: true });
const oracle = new Oracle();

async function publish(name: string, version: number, options: object): Promise<Answer> {
  const directory = join(models, name, String(version));
  mkdirSync(directory, { recursive: true });
  const made = await oracle.call("make", { ...options, name });
  assert.equal(made["message"], undefined);
  await oracle.call("save", { path: join(directory, "model.hermetic") });
  return made;
}

const mnist = await publish("mnist", 1, { kind: "mnist" });
await publish("tumours", 1, { kind: "tumours" });
const token = newToken("tests", tokens);
const open = await Server.start([models]);
const guarded = await Server.start([models], "--tokens", tokens);
const browser = await openChromium();

after(async () => {
  await browser.close();
  await Promise.all([open.stop(), guarded.stop()]);
  oracle.close();
  rmSync(folder, { recursive: true });
});

/** What went wrong in the page or left it for elsewhere, since the test began. */
let trouble: string[] = [];
beforeEach(() => (trouble = []));

async function visit(url: string, options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.on("pageerror", (error) => trouble.push(`error: ${error.message}`));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) trouble.push(`console: ${message.text()}`);
  });
  context.on("request", (request) => {
    if (!request.url().startsWith(url)) trouble.push(`third party: ${request.url()}`);
  });
  await page.goto(url);
  return page;
}

/** The page, ready for a model. */
async function ready(url: string, model: string, options: BrowserContextOptions = {}): Promise<Page> {
  const page = await visit(url, options);
  await page.locator("#state[data-state=ready]").waitFor({ timeout: QUICK });
  await page.selectOption("#models", model);
  await page.locator("#about", { hasText: `Model ${model}:` }).waitFor({ timeout: QUICK });
  await page.locator("#state[data-state=ready]").waitFor({ timeout: QUICK });
  return page;
}

async function label(page: Page, expected: string): Promise<void> {
  await page.locator("#label").getByText(expected, { exact: true }).waitFor({ timeout: QUICK });
}

async function problem(page: Page, expected: RegExp): Promise<void> {
  await page.locator("#problem").getByText(expected).waitFor({ timeout: QUICK });
}

async function accessible(page: Page): Promise<void> {
  await page.evaluate(AXE);
  const found = await page.evaluate(async () => {
    const { violations } = await (
      globalThis as unknown as { axe: { run(): Promise<{ violations: Violation[] }> } }
    ).axe.run();
    interface Violation {
      id: string;
      nodes: { target: string[] }[];
    }
    return violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.target.join(" ")).join(", ")}`);
  });
  assert.deepEqual(found, []);
}

async function picture(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true });
}

/** Folders of scripts as an origin of its own, with a page that knows where node-seal is. */
async function serveFiles(folders: Readonly<Record<string, string>>): Promise<{ url: string; close(): void }> {
  const map = JSON.stringify({ imports: { "node-seal/allows": "/node-seal/index_allows.js" } });
  const types: Readonly<Record<string, string>> = { js: "text/javascript", wasm: "application/wasm" };
  const server = createServer(({ url = "/" }, response) => {
    const prefix = Object.keys(folders).find((one) => url.startsWith(one));
    response.setHeader("Content-Type", types[url.split(".").at(-1)!] ?? "text/html");
    if (prefix === undefined) response.end(`<!doctype html><script type="importmap">${map}</script>`);
    else response.end(readFileSync(join(folders[prefix]!, url.slice(prefix.length))));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, close: () => server.close() };
}

async function drawWithMouse(page: Page, strokes: readonly Stroke[]): Promise<void> {
  const pad = page.locator("#pad");
  await pad.scrollIntoViewIfNeeded();
  const box = (await pad.boundingBox())!;
  for (const stroke of strokes) {
    const points = stroke.map(([x, y]) => [box.x + x * box.width, box.y + y * box.height] as const);
    await page.mouse.move(...points[0]!);
    await page.mouse.down();
    for (const point of points.slice(1)) await page.mouse.move(...point, { steps: 2 });
    await page.mouse.up();
  }
}

test("a digit drawn with the mouse is recognised, and every step is shown", async () => {
  const page = await ready(open.url, "mnist");
  const sent: Buffer[] = [];
  page.on("request", (request) => {
    if (request.url().endsWith("/infer")) sent.push(request.postDataBuffer()!);
  });
  await drawWithMouse(page, DIGITS[5]!);
  await label(page, "5");
  assert.equal(await page.locator("#verdict").textContent(), "5");
  assert.match((await page.locator("#fact-query").textContent())!, /^[\d.]+ ms, 47\.3 kB leave$/);
  assert.match((await page.locator("#fact-reply").textContent())!, /ms of them computing; 51\.6 kB come back$/);
  assert.match(
    (await page.locator("#who").textContent())!,
    /^Only this page saw your input, the scores and the label\./,
  );
  assert.equal(await page.locator("#bars .name").count(), 10);
  const shown = (await page.locator("#bars .value").allTextContents()).map((text) => Number.parseFloat(text));
  assert.ok(Math.abs(shown.reduce((sum, one) => sum + one, 0) - 100) < 1);
  assert.equal(sent.length, 1);
  const head = JSON.parse(sent[0]!.toString("latin1").split("}HRMT")[0]! + "}") as { inputs: { shape: number[] }[] };
  assert.equal(head.inputs[0]!.shape[0], mnist["sizes"]["1"], "a query must have as many bytes as Python's");
  assert.equal(page.workers().length, 1);
  assert.deepEqual(trouble, []);
  await picture(page, "answer-light");
  await accessible(page);
});

test("every example is recognised, and asking twice sends different noise", async () => {
  const page = await ready(open.url, "mnist");
  for (const digit of DIGITS.keys()) {
    await page.getByRole("button", { name: `Example: ${digit}` }).click();
    await label(page, String(digit));
  }
  const noise = (): Promise<string> => page.locator("#query").evaluate((one) => (one as HTMLCanvasElement).toDataURL());
  const before = await noise();
  await page.getByRole("button", { name: "Encrypt and ask" }).click();
  await page.waitForFunction((old) => document.querySelector<HTMLCanvasElement>("#query")!.toDataURL() !== old, before);
  await label(page, "9");
  assert.deepEqual(trouble, []);
});

test("the keyboard alone draws and asks", async () => {
  const page = await ready(open.url, "mnist");
  await page.locator("#pad").focus();
  for (let i = 0; i < 8; i++) await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Space");
  assert.equal(await page.locator("#pen").textContent(), "Pen down");
  for (let i = 0; i < 16; i++) await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Space");
  assert.equal(await page.locator("#pen").textContent(), "Pen up");
  await page.keyboard.press("Enter");
  await label(page, "1");
  await page.getByRole("button", { name: "Clear" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Encrypt and ask" }).focus();
  await page.keyboard.press("Enter");
  await problem(page, /must be something to ask about. Draw a digit first/);
});

test("a finger draws on a phone, in the dark", async () => {
  const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };
  const page = await ready(open.url, "mnist", { ...phone, colorScheme: "dark" });
  const pad = page.locator("#pad");
  await pad.scrollIntoViewIfNeeded();
  const box = (await pad.boundingBox())!;
  const touch = await page.context().newCDPSession(page);
  for (const stroke of DIGITS[4]!) {
    const points = stroke.map(([x, y]) => ({ x: box.x + x * box.width, y: box.y + y * box.height }));
    await touch.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: [points[0]!] });
    for (const point of points)
      await touch.send("Input.dispatchTouchEvent", { type: "touchMove", touchPoints: [point] });
    await touch.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
  }
  await label(page, "4");
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(overflow <= 0, `the page is ${overflow} px too wide`);
  assert.deepEqual(trouble, []);
  await picture(page, "phone-dark");
  await accessible(page);
});

test("a table is answered as scikit-learn does, and a value out of its range is refused", async () => {
  const page = await ready(open.url, "tumours", { colorScheme: "dark" });
  const { X, names } = await oracle.call("make", { kind: "tumours", name: "tumours" });
  const fields = page.locator("#fields input");
  assert.equal(await fields.count(), 30);
  assert.match((await page.locator("#fields label").first().textContent())!, new RegExp(`^${names[0]}`));
  for (const row of [0, 20]) {
    for (const [i, value] of (X[row] as number[]).entries()) await fields.nth(i).fill(String(value));
    await page.getByRole("button", { name: "Encrypt and ask" }).click();
    const { labels } = await oracle.call("reference", { X: X[row] });
    await label(page, labels[0]);
  }
  await picture(page, "table-dark");
  await accessible(page);
  await fields.nth(2).fill("1e6");
  await fields.nth(2).press("Enter");
  await problem(page, /Mean perimeter must be between .* Got 1000000/);
  assert.ok(await page.locator("#result").isHidden(), "an earlier answer stands beside another input");
  await picture(page, "out-of-range");
  await fields.nth(2).fill("many");
  await fields.nth(2).press("Enter");
  await problem(page, /Mean perimeter must be a number. Got “many” instead/);
  await accessible(page);
  assert.deepEqual(trouble, []);
});

/** The message and the field that it is about are in sight, the focus is on the field, and programs see that too. */
async function blamed(page: Page, field: Locator, expected: RegExp): Promise<void> {
  await problem(page, expected);
  const seen = await field.evaluate((one) => {
    const inSight = (element: Element): boolean => {
      const box = element.getBoundingClientRect();
      return box.height > 0 && box.top >= 0 && box.bottom <= innerHeight && box.left >= 0 && box.right <= innerWidth;
    };
    const message = document.getElementById(one.getAttribute("aria-errormessage")!)!;
    return { inSight: inSight(message), focused: document.activeElement === one, invalid: one.ariaInvalid };
  });
  assert.deepEqual(seen, { inSight: true, focused: true, invalid: "true" });
  assert.ok(await page.locator("#result").isHidden());
}

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };

for (const [device, options] of Object.entries({ phone: PHONE, desktop: {} })) {
  test(`a wrong value is said beside its field, in sight and in plain words (${device})`, async () => {
    const page = await ready(open.url, "tumours", options);
    const fields = page.locator("#fields input");
    const right = await fields.evaluateAll((all) => all.map((one) => (one as HTMLInputElement).value));
    for (const [field, typed, expected] of [
      [0, "", /^Mean radius must be a number. Got nothing instead.$/],
      [0, "1e9", /^Mean radius must be between 4 and 31. Got 1000000000 instead.$/],
      [15, "0x10", /^Compactness error must be a number. Got “0x10” instead.$/],
      [28, "1.000,5", /^Worst symmetry must be a number. Got “1.000,5” instead.$/],
      [29, "-3", /^Worst fractal dimension must be between .* and .*. Got -3 instead.$/],
    ] as const) {
      await fields.nth(field).fill(typed);
      await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
      await page.getByRole("button", { name: "Encrypt and ask" }).click();
      await blamed(page, fields.nth(field), expected);
      await accessible(page);
      await fields.nth(field).fill(right[field]!);
      assert.ok(await page.locator("#problem").isHidden());
      assert.equal(await fields.nth(field).getAttribute("aria-invalid"), null);
    }
    await picture(page, `problem-${device}`);
    assert.deepEqual(trouble, []);
  });

  test(`no field is cut, and the answer is brought into sight (${device})`, async () => {
    const page = await ready(open.url, "tumours", options);
    const cut = await page.locator("#fields").evaluate((one) => {
      const scrolls = (element: Element): boolean => element.scrollHeight > element.clientHeight + 1;
      const inside = [one, ...one.querySelectorAll("*")].filter(
        (each) => getComputedStyle(each).overflowY !== "visible",
      );
      return inside.filter(scrolls).length;
    });
    assert.equal(cut, 0);
    await page.locator("#fields input").first().press("Enter");
    await page.locator("#label").waitFor({ timeout: QUICK });
    await page.waitForFunction(() => {
      const box = document.getElementById("label")!.getBoundingClientRect();
      return box.top >= 0 && box.bottom <= innerHeight;
    });
  });
}

test("a decimal comma is a point, and is shown as one", async () => {
  const page = await ready(open.url, "tumours");
  const field = page.locator("#fields input").first();
  const answered = async (typed: string): Promise<string | null> => {
    await field.fill(typed);
    await field.press("Enter");
    await page.locator("#label").waitFor({ timeout: QUICK });
    return page.locator("#bars").textContent();
  };
  assert.equal(await answered("17,25"), await answered("17.25"));
  await answered("17,5");
  assert.equal(await field.inputValue(), "17.5");
});

test("an answer stands beside its own input and model alone", async () => {
  const page = await ready(open.url, "tumours");
  const [ask, result] = [page.getByRole("button", { name: "Encrypt and ask" }), page.locator("#result")];
  const gone = async (change: () => Promise<unknown>): Promise<void> => {
    await ask.click();
    await page.locator("#label").waitFor({ timeout: QUICK });
    await change();
    assert.ok(await result.isHidden(), "an earlier answer stands beside another input");
    assert.ok(await page.locator("#journey").isHidden());
  };
  await gone(() => page.locator("#fields input").nth(3).fill("900"));
  await gone(() => page.getByRole("button", { name: "Clear" }).click());
  await gone(() => page.selectOption("#models", "mnist"));
  await page.locator("#about", { hasText: "Model mnist:" }).waitFor({ timeout: QUICK });
  await page.getByRole("button", { name: "Example: 3" }).click();
  await label(page, "3");
  await page.locator("#pad").press("Space");
  assert.ok(await result.isHidden(), "an earlier answer stands beside a drawing that goes on");
});

test("an answer that comes late is not shown beside another input or model", async () => {
  const page = await ready(open.url, "tumours");
  const held: (() => void)[] = [];
  await page.route("**/infer", async (route) => {
    await new Promise<void>((resolve) => held.push(resolve));
    await route.continue();
  });
  const asked = async (): Promise<void> => {
    const before = held.length;
    await page.getByRole("button", { name: "Encrypt and ask" }).click();
    while (held.length === before) await page.waitForTimeout(20);
  };
  await asked();
  await page.locator("#fields input").first().fill("20");
  held.at(-1)!();
  await page.locator("#state[data-state=ready]").waitFor({ timeout: QUICK });
  assert.ok(await page.locator("#result").isHidden(), "the answer to an earlier input is shown");
  await asked();
  await page.selectOption("#models", "mnist");
  held.at(-1)!();
  await page.locator("#about", { hasText: "Model mnist:" }).waitFor({ timeout: QUICK });
  await page.unroute("**/infer", undefined);
  await page.getByRole("button", { name: "Example: 7" }).click();
  await label(page, "7");
  assert.ok(await page.locator("#problem").isHidden());
});

test("what is wrong elsewhere than in a field is brought into sight too", async () => {
  const page = await ready(open.url, "tumours", PHONE);
  await page.route("**/infer", (route) => route.abort());
  await page.locator("#fields input").first().press("Enter");
  await problem(page, /must be reachable/);
  await page.waitForFunction(() => {
    const box = document.getElementById("problem")!.getBoundingClientRect();
    return box.top >= 0 && box.bottom <= innerHeight && document.activeElement!.id === "problem";
  });
  const empty = await ready(open.url, "mnist", PHONE);
  await empty.getByRole("button", { name: "Encrypt and ask" }).click();
  await blamed(empty, empty.locator("#pad"), /Draw a digit first/);
  await accessible(empty);
});

test("the page says what scores tell of the weights", async () => {
  const page = await ready(open.url, "tumours");
  assert.match((await page.locator("#weights").textContent())!, /what scores tell: those of 31 samples are enough/);
});

test("title, logo and descriptions are the operator's, on both pages, which look alike", async () => {
  const logo = join(folder, "logo.svg");
  const drawing = '<svg xmlns="http://www.w3.org/2000/svg" width="30" height="30"><rect width="30" height="30"/></svg>';
  writeFileSync(logo, drawing);
  const descriptions = JSON.stringify({ tumours: "Benign or <b>malignant</b>", absent: "x" });
  const server = await Server.start(
    [models],
    "--title",
    "Clinic & <Co>",
    "--logo",
    logo,
    "--descriptions",
    descriptions,
  );
  try {
    const page = await ready(server.url, "tumours");
    const look = async (): Promise<Record<string, string>> =>
      page.evaluate(async () => {
        await document.querySelector<HTMLImageElement>(".brand img")!.decode();
        const css = (selector: string, property: string): string =>
          getComputedStyle(document.querySelector(selector)!).getPropertyValue(property);
        return {
          ground: css("body", "background-color"),
          font: css("body", "font-family"),
          heading: css("h1", "font-size"),
          card: css(".card", "background-color") + css(".card", "border-radius"),
          width: css("main", "width"),
          brand: document.querySelector(".brand")!.textContent!.trim(),
          logo: String(document.querySelector<HTMLImageElement>(".brand img")!.naturalWidth),
        };
      });
    assert.equal(await page.title(), "Clinic & <Co>: ask without showing");
    assert.equal(await page.locator("#description").textContent(), "Benign or <b>malignant</b>");
    const first = await look();
    assert.deepEqual([first["brand"], first["logo"]], ["Clinic & <Co>", "30"]);
    await picture(page, "branded");
    await page.getByRole("link", { name: /For developers/ }).click();
    await page.locator("h2", { hasText: "Protocol" }).waitFor();
    assert.deepEqual(await look(), first);
    assert.equal(await page.title(), "Clinic & <Co>: for developers");
    assert.equal(await page.getByText("Benign or <b>malignant</b>").count(), 1);
    await accessible(page);
    await picture(page, "developers");
    assert.deepEqual(trouble, []);
  } finally {
    await server.stop();
  }
});

test("a guarded service asks for a token, and says when it is wrong", async () => {
  const page = await visit(guarded.url);
  await page.getByLabel("Token").fill("hermetic_wrong");
  await accessible(page);
  await page.getByRole("button", { name: "Connect" }).click();
  await page
    .locator("#login-why")
    .getByText(/must be given a valid token. This one is unknown or expired/)
    .waitFor();
  await picture(page, "wrong-token");
  await page.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: "Connect" }).click();
  await page.locator("#state[data-state=ready]").waitFor({ timeout: QUICK });
  assert.equal(await page.locator("#login").isVisible(), false);
  assert.ok(!(await page.content()).includes(token));
});

test("a key is kept under a passphrase if the user wants that, and forgotten when told", async () => {
  const page = await ready(open.url, "mnist");
  const keyId = async (): Promise<string> =>
    /[0-9a-f]{16}(?=…)/.exec((await page.locator("#about").textContent())!)![0];
  const keep = async (passphrase: string): Promise<void> => {
    await page.getByRole("button", { name: "Example: 3" }).click();
    await label(page, "3");
    const closed = page.locator("details:not([open]) summary");
    if ((await closed.count()) > 0) await closed.click();
    await page.getByLabel("Passphrase").fill(passphrase);
    await page.getByRole("button", { name: "Keep or use" }).click();
  };
  await keep("correct horse battery");
  await page
    .locator("#kept")
    .getByText(/is kept in this browser, encrypted/)
    .waitFor({ timeout: QUICK });
  const kept = await keyId();
  await page.reload();
  await page.locator("#state[data-state=ready]").waitFor({ timeout: QUICK });
  await page.selectOption("#models", "mnist");
  await page.locator("#about", { hasText: "Model mnist:" }).waitFor({ timeout: QUICK });
  assert.notEqual(await keyId(), kept);
  await keep("correct horse battery");
  await page.locator("#kept").getByText(kept).waitFor({ timeout: QUICK });
  assert.equal(await keyId(), kept);
  await page.reload();
  await page.locator("#state[data-state=ready]").waitFor({ timeout: QUICK });
  await page.selectOption("#models", "mnist");
  await page.locator("#about", { hasText: "Model mnist:" }).waitFor({ timeout: QUICK });
  await keep("wrong horse battery");
  await problem(page, /passphrase is wrong, or the stored key is damaged/);
  assert.notEqual(await keyId(), kept);
  await keep("correct horse battery");
  await page.locator("#kept").getByText(kept).waitFor({ timeout: QUICK });
  await page.getByRole("button", { name: "Example: 3" }).click();
  await label(page, "3");
  await page.getByRole("button", { name: "Forget it" }).click();
  await page.locator("#kept").getByText("Nothing is kept in this browser.").waitFor();
  const left = await page.evaluate(async () => {
    const opening = indexedDB.open("hermetic", 1);
    await new Promise((resolve) => (opening.onsuccess = resolve));
    const counting = opening.result.transaction("keys").objectStore("keys").count();
    await new Promise((resolve) => (counting.onsuccess = resolve));
    return counting.result;
  });
  assert.equal(left, 0);
});

test("the page may load, run and reach nothing but this service, and frames none", async () => {
  const response = await fetch(open.url);
  const policy = response.headers.get("Content-Security-Policy")!;
  assert.match(policy, /default-src 'none'/);
  assert.match(policy, /script-src 'self' 'wasm-unsafe-eval'(;|$)/);
  assert.doesNotMatch(policy, /unsafe-inline|'unsafe-eval'|https?:|\*/);
  const page = await ready(open.url, "mnist");
  const escaped = await page.evaluate(async () => {
    const attempts = await Promise.allSettled([
      fetch("https://example.com/"),
      new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = "data:text/javascript,globalThis.escaped = true";
        script.onload = resolve;
        script.onerror = reject;
        document.head.append(script);
      }),
    ]);
    return attempts.filter((one) => one.status === "fulfilled").length;
  });
  assert.equal(escaped, 0);
});

test("a model that was replaced is said to have changed", async () => {
  const page = await ready(open.url, "tumours");
  await publish("tumours", 2, { kind: "cancer" });
  const ask = page.getByRole("button", { name: "Encrypt and ask" });
  await assert.doesNotReject(async () => {
    for (const deadline = Date.now() + QUICK; Date.now() < deadline; await page.waitForTimeout(300)) {
      await ask.click();
      if (
        await page
          .locator("#problem")
          .getByText(/must be the one connected to. It changed .* Load this page again/)
          .isVisible()
      )
        return;
    }
    throw new Error("nothing was said");
  });
});

test("a page of another origin uses the published package, if the operator allows that origin", async () => {
  const built = join(folder, "dist");
  execFileSync("tsc", ["-p", join(ROOT, "tsconfig.build.json"), "--outDir", built]);
  const pages = await serveFiles({ "/client/": built, "/node-seal/": join(ROOT, "node_modules", "node-seal", "dist") });
  const allowing = await Server.start([models], "--tokens", tokens, "--cors-origin", pages.url);
  try {
    const page = await (await browser.newContext()).newPage();
    await page.goto(pages.url);
    const sample = (mnist["X"] as number[][])[0]!;
    const predict = async (url: string): Promise<string> =>
      page.evaluate(
        async ([service, bearer, pixels]) => {
          const library = "/client/index.js";
          const { connect } = (await import(library)) as typeof import("../src/index.ts");
          try {
            const model = await connect(service, { model: "mnist", token: bearer, worker: false, retries: 0 });
            return String(await model.predict(pixels));
          } catch (error) {
            return (error as Error).message;
          }
        },
        [url, token, sample] as const,
      );
    const { labels } = await oracle
      .call("make", { kind: "mnist", name: "mnist" })
      .then(() => oracle.call("reference", { X: sample }));
    assert.equal(await predict(allowing.url), String(labels[0]));
    assert.match(await predict(guarded.url), /must be reachable. It is not .* that it allows that origin/);
  } finally {
    await allowing.stop();
    pages.close();
  }
});

test("a service that is gone is said to be unreachable", async () => {
  const server = await Server.start([models]);
  const page = await ready(server.url, "mnist");
  await server.stop();
  await page.getByRole("button", { name: "Example: 7" }).click();
  await problem(page, /must be reachable. It is not/);
  await picture(page, "unreachable");
  await accessible(page);
});
