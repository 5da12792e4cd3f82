/** The page: connect, take an input, ask, and show every step. */
import wasm from "../node_modules/node-seal/dist/seal_allows.wasm?url";
import { AuthenticationError, HermeticError, type RemoteModel, connect, forgetKeys } from "../src/index.ts";
import { drawBars, headline } from "./answer.ts";
import { Pad, drawStrokes } from "./pad.ts";
import { drawBytes, drawValues } from "./pictures.ts";
import { Problem, words } from "./problem.ts";
import { rangeOf } from "./ranges.ts";
import { rasterise } from "./raster.ts";
import { DIGITS } from "./strokes.ts";
import { FieldError, Table } from "./table.ts";

const IDLE_MS = 700;
const SMALLEST_SIDE = 8;
const SERVICE = new URL(".", location.href);

function element<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no ${id}`);
  return found as T;
}

const canvas = (id: string): HTMLCanvasElement => element<HTMLCanvasElement>(id);
const modelSelect = element<HTMLSelectElement>("models");
const problem = new Problem(element("problem"), [element("actions"), element("desk")]);

/** What the operator says of each model. */
let descriptions = new Map<string, string>();
let token: string | undefined;
let passphrase: string | undefined;
let model: RemoteModel | undefined;
let table: Table | undefined;
let connection = 0;
/** Counts the changes of the input and of the model: an answer belongs to one of them, and is shown beside no other. */
let edition = 0;
/** The model that is being asked. */
let running: RemoteModel | undefined;
/** Whether something was asked while an answer was still under way. */
let again = false;
let idle: ReturnType<typeof setTimeout> | undefined;

const pad = new Pad(canvas("pad"), element("pen"), {
  changed,
  drawn: () => {
    clearTimeout(idle);
    idle = setTimeout(() => void ask(), IDLE_MS);
  },
  entered: () => void ask(true),
});

function say(state: "busy" | "ready" | "failed", text: string): void {
  element("state").dataset["state"] = state;
  element("state").textContent = text;
}

/** The side of the images that a model takes: pixels of one range, all alike; undefined for a model of other data. */
function imageSide({ signature }: RemoteModel): number | undefined {
  if (signature.kind !== "linear") return undefined;
  const { grid, features, featureNames } = signature;
  const side = Math.sqrt(features);
  const alike = grid.step.every(
    (step, i) => step === grid.step[0] && grid.lower(i) === grid.lower(0) && grid.upper(i) === grid.upper(0),
  );
  const image = featureNames === null && grid.exact && alike && Number.isInteger(side) && side >= SMALLEST_SIDE;
  return image ? side : undefined;
}

async function start(): Promise<void> {
  say("busy", "Connecting");
  problem.hide();
  try {
    descriptions = await listed();
    const names = [...descriptions.keys()];
    modelSelect.replaceChildren(...names.map((name) => new Option(name)));
    element("model-choice").hidden = names.length < 2;
    element("login").hidden = true;
    await open(names[0]);
  } catch (error) {
    refuse(error);
  }
}

function refuse(error: unknown): void {
  element("desk").hidden = true;
  if (error instanceof AuthenticationError) {
    element("login").hidden = false;
    element("login-why").textContent = token === undefined ? "The operator gives it to you." : words(error);
    element<HTMLInputElement>("token").setAttribute("aria-invalid", String(token !== undefined));
    element("token").focus();
    say("busy", "Waiting for a token");
    return;
  }
  say("failed", "Not connected");
  problem.show(error);
}

/** The models of the service, and what its operator says of each. */
async function listed(): Promise<Map<string, string>> {
  const headers: HeadersInit = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  const response = await fetch(new URL("models", SERVICE), { headers }).catch(() => {
    throw new HermeticError("the service must be reachable. It is not: check that it runs, then load this page again.");
  });
  if (response.status === 401)
    throw new AuthenticationError("the service must be given a valid token. This one is unknown or expired.");
  if (!response.ok) throw new HermeticError(`the service failed to list its models (${response.status}).`);
  const models = (await response.json()) as { name: string; description?: string }[];
  if (models.length === 0)
    throw new HermeticError("the service has no model yet. Start it with one: hermetic serve FILE.");
  return new Map(models.map((one) => [one.name, one.description ?? ""]));
}

/** Connect to a model, with a fresh key or a kept one, and show the input that it takes. */
async function open(name = modelSelect.value): Promise<void> {
  const mine = ++connection;
  say("busy", "Making a key");
  changed();
  element("desk").inert = true;
  model?.close();
  model = undefined;
  const began = performance.now();
  const made = await connect(SERVICE, { model: name, token, passphrase, wasm: new URL(wasm, location.href) });
  const keyMs = performance.now() - began;
  try {
    await made.register();
    if (mine === connection) model = made;
  } finally {
    if (model !== made) made.close();
  }
  if (model === made) prepare(made, keyMs);
}

function prepare(made: RemoteModel, keyMs: number): void {
  const { signature } = made;
  const side = imageSide(made);
  element("image").hidden = side === undefined;
  element("table").hidden = side !== undefined;
  table = side === undefined ? new Table(element("fields"), element("table-help"), signature) : undefined;
  changed();
  element("description").textContent = descriptions.get(made.name) ?? "";
  element("weights").textContent =
    signature.kind === "linear"
      ? `only what scores tell: those of ${signature.features + 1} samples are enough to work them out`
      : "only what scores tell; which tree asks what stays private";
  element("privacy").hidden = true;
  element("desk").hidden = false;
  element("desk").inert = false;
  pad.clear();
  element("about").textContent =
    `Model ${signature.name}: ${count(signature.features, "feature")}, ${count(signature.outputs, "score")}; ring of degree ` +
    `${signature.parameters.ringDegree}, 128-bit security. Ready in ${milliseconds(keyMs)}, signature and key included; public key ` +
    `${bytes(made.publicKey.length)}, sent once, ${made.keyId.slice(0, 16)}…`;
  say("ready", "Ready");
}

/** The input or the model is another one: an earlier answer, or problem, does not stand beside it. */
function changed(): void {
  edition++;
  problem.hide();
  clearAnswer();
}

function clearAnswer(): void {
  for (const id of ["journey", "result"]) element(id).hidden = true;
  element("waiting").hidden = false;
}

/** The input (d,); undefined if nothing is drawn. */
function input(made: RemoteModel): Float64Array | number[] | undefined {
  if (table !== undefined) return table.values();
  if (made.signature.kind !== "linear") return undefined;
  const { grid } = made.signature;
  const pixels = rasterise(pad.drawing, Math.sqrt(made.signature.features));
  return pixels?.map((share, i) => grid.value(i, Math.round(grid.low[i]! + share * (grid.high[i]! - grid.low[i]!))));
}

/** Ask about the input as it is. `wanted`: somebody asked for it now, and is shown the answer wherever the page is. */
async function ask(wanted = false): Promise<void> {
  clearTimeout(idle);
  if (model === undefined) return;
  if (running === model) {
    again = true;
    return;
  }
  const [made, mine] = [model, edition];
  running = made;
  again = false;
  problem.hide();
  try {
    const values = input(made);
    if (values === undefined)
      throw new FieldError("there must be something to ask about. Draw a digit first.", canvas("pad"));
    const show = await answer(made, values);
    if (mine === edition) show();
    if (mine === edition && wanted) element("answer").scrollIntoView({ block: "nearest" });
  } catch (error) {
    if (made !== model) return;
    if (error instanceof AuthenticationError) refuse(error);
    else if (mine === edition) {
      clearAnswer();
      problem.show(error);
    }
  } finally {
    if (running === made) running = undefined;
    if (made === model && !element("desk").hidden) say("ready", "Ready");
    if (made === model && again) void ask();
  }
}

/** Encrypt, ask and decrypt; gives what shows the answer, if it is still wanted. */
async function answer(made: RemoteModel, values: Float64Array | number[]): Promise<() => void> {
  say("busy", "Encrypting");
  const times = [performance.now()];
  const query = await made.encrypt(values);
  times.push(performance.now());
  say("busy", "Asking");
  const { result, evaluationMs } = await made.ask(query);
  times.push(performance.now());
  const [scores] = await made.decrypt(query, result);
  times.push(performance.now());
  return () => show(made, { values, query, result, scores: scores!, evaluationMs, times });
}

/** Everything that is known of one question. */
interface Asked {
  values: Float64Array | number[];
  query: Uint8Array;
  result: Uint8Array;
  scores: Float64Array;
  evaluationMs: number | undefined;
  times: number[];
}

function show(made: RemoteModel, asked: Asked): void {
  const { signature } = made;
  const { values, query, result, scores, evaluationMs, times } = asked;
  const [encryptMs, askMs, decryptMs] = times.slice(1).map((time, i) => time - times[i]!) as [number, number, number];
  const said = headline(made, scores);
  element("label-name").textContent = signature.labels === null ? "Value" : "Label";
  element("label").textContent = said;
  element("total").textContent = `${milliseconds(times[3]! - times[0]!)} from question to answer`;
  drawBars(element("bars"), made, scores);
  element("guarantee").textContent =
    `Guaranteed: every score is within ${signature.error} of what the model gives without encryption.`;

  const shares = Float64Array.from(values, (value, i) =>
    Number.isNaN(value) ? 0 : rangeOf(signature, i).share(value),
  );
  drawValues(canvas("seen"), shares, imageSide(made));
  drawBytes(canvas("query"), query);
  drawBytes(canvas("reply"), result);
  element("verdict").textContent = said;
  element("fact-input").textContent =
    `${count(signature.features, "number")}, as the model takes ${signature.features === 1 ? "it" : "them"}`;
  element("fact-query").textContent = `${milliseconds(encryptMs)}, ${bytes(query.length)} leave`;
  const evaluated = evaluationMs === undefined ? "" : `, ${milliseconds(evaluationMs)} of them computing`;
  element("fact-reply").textContent =
    `${milliseconds(askMs)} there and back${evaluated}; ${bytes(result.length)} come back`;
  element("fact-result").textContent = `${milliseconds(decryptMs)}, ${count(signature.outputs, "score")}`;
  element("who").textContent =
    `Only this page saw your input, the scores and the ${signature.labels === null ? "value" : "label"}. The service, and everybody ` +
    `on the way to it, saw ${bytes(query.length)} go in and ${bytes(result.length)} come out that nobody without your key can tell from noise.`;
  element("waiting").hidden = true;
  for (const id of ["result", "journey", "privacy"]) element(id).hidden = false;
}

function milliseconds(value: number): string {
  return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`;
}

function bytes(value: number): string {
  return value < 1000 ? `${value} bytes` : `${(value / 1000).toFixed(1)} kB`;
}

function count(value: number, what: string): string {
  return `${value} ${what}${value === 1 ? "" : "s"}`;
}

function showExamples(): void {
  const buttons = DIGITS.map((strokes, digit) => {
    const button = document.createElement("button");
    const picture = document.createElement("canvas");
    picture.width = picture.height = 64;
    picture.setAttribute("aria-hidden", "true");
    drawStrokes(picture, strokes);
    button.type = "button";
    button.setAttribute("aria-label", `Example: ${digit}`);
    button.append(picture);
    button.addEventListener("click", () => {
      pad.draw(strokes);
      changed();
      void ask(true);
    });
    return button;
  });
  element("examples").replaceChildren(...buttons);
}

function listen(): void {
  element("clear").addEventListener("click", () => {
    clearTimeout(idle);
    pad.clear();
    table?.reset();
    changed();
  });
  element("table").addEventListener("submit", (event) => {
    event.preventDefault();
    void ask(true);
  });
  element("table").addEventListener("input", changed);
  modelSelect.addEventListener("change", () => void open().catch(refuse));
  element("login").addEventListener("submit", (event) => {
    event.preventDefault();
    token = element<HTMLInputElement>("token").value.trim();
    void start();
  });
  element("keep").addEventListener("submit", (event) => {
    event.preventDefault();
    void keep();
  });
  element("forget").addEventListener("click", () => {
    passphrase = undefined;
    forgetKeys(SERVICE).then(() => (element("kept").textContent = "Nothing is kept in this browser."), failed);
  });
}

/** Use the key that this browser keeps, or make one and keep it. */
async function keep(): Promise<void> {
  const field = element<HTMLInputElement>("passphrase");
  passphrase = field.value;
  field.value = "";
  try {
    await open();
    element("kept").textContent = `The key ${model?.keyId.slice(0, 16) ?? ""}… is kept in this browser, encrypted.`;
    element("privacy").hidden = false;
  } catch (error) {
    passphrase = undefined;
    await open().catch(refuse);
    failed(error);
  }
}

/** The kept key cannot be used: said where the passphrase is typed. */
function failed(error: unknown): void {
  element("privacy").hidden = false;
  problem.show(error, element("passphrase"));
}

element<HTMLLinkElement>("icon").href = "./logo";
showExamples();
listen();
void start();
