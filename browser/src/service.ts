/** What can be asked of a service, and how its answers read: the Open Inference Protocol (KServe V2), binary tensors. */
import { type Bytes, concat, randomBytes, toHex } from "./bytes.ts";
import {
  AuthenticationError,
  BusyError,
  HermeticError,
  InputError,
  ModelNotFoundError,
  ProtocolError,
  RefusedError,
  type RemoteDetails,
  RemoteError,
  RemoteTimeoutError,
  SignatureChangedError,
  UnreachableError,
} from "./errors.ts";

const BINARY = "application/octet-stream";
const JSON_LENGTH = "Inference-Header-Content-Length";
const TIMEOUT = 60_000;
const MAX_HEAD_BYTES = 16 * 2 ** 10;
const MAX_ERROR_BYTES = 64 * 2 ** 10;
const MAX_LIST_BYTES = 4 * 2 ** 20;
const MAX_DESCRIPTION_BYTES = 2 * 256 * 2 ** 20;
const RETRIED = [429, 502, 503];
const MAX_PAUSE_SECONDS = 10;
const UNKNOWN_KEY = 424;

/** How to reach one model. */
export interface ServiceOptions {
  /** The model's name; not needed where the service has only one. */
  model?: string | undefined;
  /** By default the highest. */
  version?: string | number | undefined;
  /** The bearer token, or a function that gives the current one and is called for every request. */
  token?: string | (() => string | Promise<string>) | undefined;
  /** Milliseconds for each request, its further attempts included; by default 60,000. */
  timeout?: number | undefined;
  /** Further attempts after a lost connection or an answer 429, 502 or 503; by default 4. */
  retries?: number | undefined;
}

/** A served model: its signature's envelope, and what the service takes in one query. */
export interface Description {
  readonly signature: Bytes;
  readonly maxSamples: number;
  readonly maxQueryBytes: number;
}

/** An answer's envelope, and the milliseconds that the service says it evaluated. */
export interface Answer {
  readonly result: Bytes;
  readonly evaluationMs: number | undefined;
}

interface Sent {
  method: "GET" | "PUT" | "POST";
  path: string;
  headers?: Record<string, string>;
  body?: Bytes;
  /** The most bytes of an answer. */
  answerBytes: number;
}

interface Reply {
  readonly ok: boolean;
  readonly status: number;
  readonly headers: Headers;
  readonly body: Bytes;
}

export class Service {
  readonly url: string;

  constructor(
    url: string | URL,
    private readonly options: ServiceOptions,
  ) {
    const base = URL.parse(String(url), (globalThis as { location?: Location }).location?.href);
    if (base === null || !["http:", "https:"].includes(base.protocol)) {
      throw new InputError(`the service's URL must start with https:// or http://. Got ${String(url)} instead.`);
    }
    this.url = (base.origin + base.pathname).replace(/\/+$/, "");
  }

  /** The names of the service's models. */
  async models(): Promise<string[]> {
    const listed: unknown = this.#json(
      await this.#ask({ method: "GET", path: "/models", answerBytes: MAX_LIST_BYTES }),
    );
    if (!Array.isArray(listed)) throw this.#foreign();
    return listed.map((one) => String((one as { name?: unknown }).name));
  }

  /** The model's public description. */
  async describe(model: string): Promise<Description> {
    const path = `/v2${this.#path(model)}`;
    const reply = await this.#ask({ method: "GET", path, answerBytes: MAX_DESCRIPTION_BYTES }, model);
    const document = this.#json(reply) as { parameters?: Record<string, unknown> } | null;
    const parameters = document?.parameters;
    const encoded = parameters?.["signature"];
    if (parameters === undefined || typeof encoded !== "string") throw this.#foreign();
    let signature: Bytes;
    try {
      signature = Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
    } catch {
      throw this.#foreign();
    }
    return {
      signature,
      maxSamples: positive(parameters["max_samples"]),
      maxQueryBytes: positive(parameters["max_query_bytes"]),
    };
  }

  /** Store a public key; nothing happens if it is there already. */
  async putKey(keyId: string, publicKey: Bytes): Promise<void> {
    const headers = { "Content-Type": BINARY };
    await this.#ask({ method: "PUT", path: `/keys/${keyId}`, headers, body: publicKey, answerBytes: MAX_ERROR_BYTES });
  }

  /** The answer to a query, `answerBytes` long; undefined if the service does not know the query's public key. */
  async infer(model: string, query: Bytes, answerBytes: number): Promise<Answer | undefined> {
    const id = toHex(randomBytes(8));
    const input = { name: "query", datatype: "UINT8", shape: [query.length] };
    const document = {
      id,
      inputs: [{ ...input, parameters: { binary_data_size: query.length } }],
      outputs: [{ name: "result", parameters: { binary_data: true } }],
    };
    const head = new TextEncoder().encode(JSON.stringify(document));
    const headers = { "Content-Type": BINARY, [JSON_LENGTH]: String(head.length) };
    const path = `/v2${this.#path(model)}/infer`;
    const sent: Sent = {
      method: "POST",
      path,
      headers,
      body: concat(head, query),
      answerBytes: MAX_HEAD_BYTES + answerBytes,
    };
    const { status, headers: answered, body } = await this.#ask(sent, model);
    if (status === UNKNOWN_KEY) return undefined;
    const split = Number(answered.get(JSON_LENGTH) ?? Number.NaN);
    if (!Number.isInteger(split) || split < 1 || body.length !== split + answerBytes) {
      throw new ProtocolError(
        `the answer must be ${answerBytes} bytes after a JSON head. Got ${body.length} bytes instead: check the URL, ` +
          `and that the service lets this page read the header ${JSON_LENGTH}.`,
      );
    }
    if (field(body.subarray(0, split), "id") !== id) {
      throw new ProtocolError("the answer must be to this request. It is to another: check the proxies in between.");
    }
    return { result: body.slice(split), evaluationMs: evaluationMs(answered) };
  }

  #path(model: string): string {
    const { version } = this.options;
    const suffix = version === undefined ? "" : `/versions/${encodeURIComponent(String(version))}`;
    return `/models/${encodeURIComponent(model)}${suffix}`;
  }

  /** Send until there is an answer that is not worth another attempt; throw unless it is 2xx or 424. */
  async #ask(sent: Sent, model?: string): Promise<Reply> {
    const { retries = 4, timeout = TIMEOUT } = this.options;
    const signal = AbortSignal.timeout(timeout);
    for (let attempt = 0; ; attempt++) {
      const last = attempt >= retries;
      let error: RemoteError;
      try {
        const reply = await this.#send(sent, signal);
        if (reply.ok || reply.status === UNKNOWN_KEY) return reply;
        error = this.#refusal(reply, model);
      } catch (caught) {
        if (!(caught instanceof UnreachableError)) throw caught;
        error = caught;
      }
      const worth = error instanceof UnreachableError || RETRIED.includes(error.status ?? 0);
      const seconds = error.retryAfter ?? 0.1 * 2 ** attempt;
      if (last || !worth || seconds > MAX_PAUSE_SECONDS) throw error;
      await pause(seconds);
    }
  }

  async #send(sent: Sent, signal: AbortSignal): Promise<Reply> {
    const { token } = this.options;
    const current = typeof token === "function" ? await token() : token;
    const headers: Record<string, string> = { ...sent.headers };
    if (current !== undefined) headers["Authorization"] = `Bearer ${current}`;
    const init: RequestInit = { method: sent.method, headers, signal, redirect: "error", credentials: "omit" };
    if (sent.body !== undefined) init.body = sent.body;
    try {
      const response = await fetch(this.url + sent.path, init);
      const { ok, status } = response;
      const body = await readAtMost(response, ok ? sent.answerBytes : MAX_ERROR_BYTES);
      return { ok, status, headers: response.headers, body };
    } catch (error) {
      if (signal.aborted) {
        throw new RemoteTimeoutError(
          `${this.url} must answer within ${this.options.timeout ?? TIMEOUT} ms. It did not.`,
        );
      }
      if (error instanceof HermeticError) throw error;
      throw this.#unreachable(error);
    }
  }

  #unreachable(error: unknown): UnreachableError {
    const reason = error instanceof Error ? error.message : String(error);
    return new UnreachableError(
      `${this.url} must be reachable. It is not (${reason}): check the URL, that the service runs, and, from a page of ` +
        "another origin, that it allows that origin.",
    );
  }

  #refusal({ status, headers, body }: Reply, model?: string): RemoteError {
    const said = explanation(body);
    const details: RemoteDetails = {
      status,
      requestId: headers.get("X-Request-ID") ?? undefined,
      retryAfter: seconds(headers.get("Retry-After")),
    };
    const because = `${status}${said === "" ? "" : `: ${said}`}`;
    if (status === 401 || status === 403) {
      const given = this.options.token === undefined ? "None was given" : "This one is unknown or expired";
      return new AuthenticationError(`${this.url} must be given a valid token. ${given} (${because}).`, details);
    }
    if (status === 404 && model !== undefined && said !== "") {
      return new ModelNotFoundError(`${this.url} has no model ${model} for this token (${because}).`, details);
    }
    if (status === 404) return this.#foreign(details);
    if (status === 409 && model !== undefined) {
      const message = `model ${model} must be the one connected to. It changed (${because}). Connect again.`;
      return new SignatureChangedError(message, details);
    }
    if (RETRIED.includes(status)) return new BusyError(`${this.url} has no room now (${because}).`, details);
    if (status < 500) return new RefusedError(`${this.url} refuses the request (${because}).`, details);
    return new RemoteError(`${this.url} failed on the request (${because}).`, details);
  }

  #json({ body }: Reply): unknown {
    try {
      return parsed(body);
    } catch {
      throw this.#foreign();
    }
  }

  #foreign(details?: RemoteDetails): ProtocolError {
    return new ProtocolError(
      `${this.url} must be a Hermetic service. Its answer is not one's: check the URL.`,
      details,
    );
  }
}

function positive(value: unknown): number {
  return typeof value === "number" && value > 0 ? value : Number.POSITIVE_INFINITY;
}

function seconds(header: string | null): number | undefined {
  const value = header === null ? Number.NaN : Number(header);
  return Number.isFinite(value) && value >= 0 ? value : undefined;
}

function parsed(data: Uint8Array): unknown {
  return JSON.parse(new TextDecoder().decode(data));
}

/** The `field` of a JSON object; undefined if these bytes are no such thing. */
function field(data: Uint8Array, name: string): unknown {
  try {
    return (parsed(data) as Record<string, unknown> | null)?.[name];
  } catch {
    return undefined;
  }
}

function explanation(body: Uint8Array): string {
  const said = field(body, "error");
  return typeof said === "string" ? said.slice(0, 500) : "";
}

async function readAtMost(response: Response, limit: number): Promise<Bytes> {
  const reader = response.body?.getReader();
  if (reader === undefined) return new Uint8Array();
  const parts: Uint8Array[] = [];
  let length = 0;
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    length += read.value.length;
    if (length > limit) {
      await reader.cancel();
      throw new ProtocolError(`the answer must have at most ${limit} bytes. It is longer: check the URL.`);
    }
    parts.push(read.value);
  }
  reader.releaseLock(); // Chromium reports a request as aborted if the reader is let go without this
  return concat(...parts);
}

function evaluationMs(headers: Headers): number | undefined {
  const found = /evaluate;dur=([0-9.]+)/.exec(headers.get("Server-Timing") ?? "");
  return found === null ? undefined : Number(found[1]);
}

function pause(duration: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1000 * duration));
}
