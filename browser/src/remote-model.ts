/** A model at a service, in the manner of scikit-learn: inputs are encrypted here, answers decrypted here. */
import type { Bytes } from "./bytes.ts";
import type { Progress } from "./client.ts";
import { type Input, type Sample, type Samples, samplesOf } from "./samples.ts";
import type { Engine, EngineOptions, PublicHalf } from "./engine.ts";
import { InputError, ModelNotFoundError, ProtocolError, RefusedError, WireError } from "./errors.ts";
import { BrowserKeyStore, type KeyStore } from "./key-store.ts";
import {
  type Link,
  chooseLabel,
  chooseLabels,
  hasProbabilities,
  isMultilabel,
  probabilities,
  respond,
} from "./links.ts";
import type { InputOptions } from "./quantize.ts";
import { type Answer, type Description, Service, type ServiceOptions } from "./service.ts";
import { type Label, type Signature, layoutFor, mayBeMissing } from "./signature.ts";
import { queryBytes, readBatch, resultBytes, signatureFromBytes } from "./wire.ts";
import { WorkerEngine } from "./worker-engine.ts";

const MAX_QUERY_BYTES = 32 * 2 ** 20;

/** How to connect. */
export interface ConnectOptions extends ServiceOptions, InputOptions {
  /**
   * Keep the secret key, encrypted under this passphrase, for the next visit; or use the one kept before. By default the
   * key is forgotten with the page.
   */
  passphrase?: string | undefined;
  /** Where keys are kept; by default the browser's IndexedDB. */
  keyStore?: KeyStore | undefined;
  /** A worker running `@hermetic/client/worker`, or false to compute in this thread; by default a worker if there can be one. */
  worker?: Worker | false | undefined;
  /** Where SEAL's WebAssembly is, for bundlers that move it. */
  wasm?: string | URL | undefined;
  /** Called while a batch is encrypted, in ciphertexts. */
  progress?: Progress | undefined;
}

/** What a model predicts for one sample: a class, a number, one number an output, or one of two labels each. */
export type Prediction = Label | Float64Array | readonly Label[];

/**
 * Connect to a model: fetch its signature and make a key, whose public half goes up with the first query.
 *
 * Throws UnreachableError, AuthenticationError, ModelNotFoundError, ProtocolError, KeyStoreError, UnsupportedError.
 */
export async function connect(url: string | URL, options: ConnectOptions = {}): Promise<RemoteModel> {
  const service = new Service(url, options);
  const model = options.model ?? (await onlyModel(service));
  const description = await service.describe(model);
  const signature = await readSignature(description);
  const engine = await startEngine(options.worker);
  try {
    const key = await openEngine(engine, description.signature, signature, service.url, options);
    return new RemoteModel(model, signature, service, engine, key, description, options.progress);
  } catch (error) {
    engine.close();
    throw error;
  }
}

async function onlyModel(service: Service): Promise<string> {
  const names = await service.models();
  if (names.length !== 1) {
    const found = names.length === 0 ? "none" : names.join(", ");
    throw new ModelNotFoundError(`${service.url} must be asked for one of its models. It has: ${found}.`);
  }
  return names[0]!;
}

async function readSignature(description: Description): Promise<Signature> {
  try {
    return await signatureFromBytes(description.signature);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new ProtocolError(`the service must publish a valid signature. ${error.message}`);
  }
}

async function startEngine(worker: Worker | false | undefined): Promise<Engine> {
  if (worker === false || (worker === undefined && typeof Worker === "undefined")) {
    const { LocalEngine } = await import("./engine.ts"); // SEAL is not loaded into pages that leave it to a worker
    return new LocalEngine();
  }
  return new WorkerEngine(worker ?? new Worker(new URL("./worker.js", import.meta.url), { type: "module" }));
}

async function openEngine(
  engine: Engine,
  envelope: Bytes,
  signature: Signature,
  url: string,
  options: ConnectOptions,
): Promise<PublicHalf> {
  const { passphrase, clip, roundInputs, wasm } = options;
  const fixed: EngineOptions = { clip, roundInputs, wasm: wasm === undefined ? undefined : String(wasm) };
  if (passphrase === undefined) return engine.open(envelope, fixed);
  const store = options.keyStore ?? new BrowserKeyStore();
  const name = `${url} ${signature.parameters.profile}`;
  const sealed = await store.get(name);
  if (sealed !== undefined) return engine.open(envelope, { ...fixed, key: { sealed, passphrase } });
  const made = await engine.open(envelope, fixed);
  await store.put(name, await engine.seal(passphrase));
  return made;
}

/**
 * A connected model. Methods take one sample (d,) or a batch (n, d), and give one value or an array of them. A sample is
 * an array of numbers, or an object, `Map` or `FormData` of them by the names of `signature.featureNames`.
 *
 * {@link predict} and its like are {@link encrypt}, {@link ask} and {@link decrypt} in a row.
 */
export class RemoteModel {
  #uploaded: Promise<void> | undefined;

  /** Use {@link connect}. */
  constructor(
    /** The model's name at the service. */
    readonly name: string,
    readonly signature: Signature,
    private readonly service: Service,
    private readonly engine: Engine,
    private readonly key: PublicHalf,
    private readonly description: Description,
    private readonly progress: Progress | undefined,
  ) {}

  /** 64 hexadecimal digits that name the public key. */
  get keyId(): string {
    return this.key.keyId;
  }

  /** The envelope of the public key, which the service gets once. */
  get publicKey(): Bytes {
    return this.key.publicKey;
  }

  /**
   * The estimator's `predict`: the label (classifiers) or value (regressors) of every sample; the new features of a
   * transformer.
   */
  async predict(sample: Sample): Promise<Prediction>;
  async predict(batch: readonly Sample[]): Promise<Prediction[]>;
  async predict(input: Input): Promise<Prediction | Prediction[]> {
    return this.#each(input, (scores) => this.prediction(scores));
  }

  /**
   * What the estimator's `signature.method` gives for every sample, mostly `decision_function`: the scores (k,), each
   * within `signature.error` of the estimator's, unless the link makes a response of them.
   */
  async decisionFunction(sample: Sample): Promise<Float64Array>;
  async decisionFunction(batch: readonly Sample[]): Promise<Float64Array[]>;
  async decisionFunction(input: Input): Promise<Float64Array | Float64Array[]> {
    return this.#each(input, (scores) => this.response(scores));
  }

  /** The probabilities of the classes, of every sample. Throws InputError if the model has none. */
  async predictProba(sample: Sample): Promise<Float64Array>;
  async predictProba(batch: readonly Sample[]): Promise<Float64Array[]>;
  async predictProba(input: Input): Promise<Float64Array | Float64Array[]> {
    this.#requireLink();
    return this.#each(input, (scores) => this.probabilities(scores));
  }

  /** What the estimator's `signature.method` gives for a sample of these scores (k,). */
  response(scores: Float64Array): Float64Array {
    const { method, link, labels } = this.signature;
    return respond(method, link, scores, labels?.length ?? 0);
  }

  /** What the model predicts for a sample of these scores (k,). */
  prediction(scores: Float64Array): Prediction {
    const { method, link, labels, squeeze } = this.signature;
    if (labels !== null && isMultilabel(link)) return chooseLabels(scores, labels);
    if (labels !== null) return chooseLabel(method, link, scores, labels);
    const response = this.response(scores);
    return squeeze ? response[0]! : response;
  }

  /** The probabilities of the classes for a sample of these scores (k,). Throws InputError if the model has none. */
  probabilities(scores: Float64Array): Float64Array {
    return probabilities(this.#requireLink(), scores, this.signature.labels!.length);
  }

  /** Send the public key, unless the service got it before. Happens by itself with the first query. */
  async register(): Promise<void> {
    this.#uploaded ??= this.service.putKey(this.key.keyId, this.key.publicKey);
    try {
      await this.#uploaded;
    } catch (error) {
      this.#uploaded = undefined;
      throw error;
    }
  }

  /**
   * Encrypt samples: the query's envelope. Encrypting the same input twice gives different bytes.
   *
   * Throws InputError for a wrong shape, a missing name, NaN, infinity, or values that the signature's grid does not hold.
   */
  async encrypt(input: Input): Promise<Bytes> {
    return this.engine.encrypt(this.#samples(input), this.progress);
  }

  /** Send a query: the answer's envelope. The service sees neither input nor result. */
  async ask(query: Bytes): Promise<Answer> {
    const { layout, samples } = readBatch(query, this.signature);
    const answerBytes = resultBytes(this.signature, layout, samples);
    for (let uploads = 0; uploads < 2; uploads++) {
      await this.register();
      const answer = await this.service.infer(this.name, query, answerBytes);
      if (answer !== undefined) return answer;
      this.#uploaded = undefined;
    }
    throw new RefusedError("the service must keep the public key. It took it, and does not know it.", { status: 424 });
  }

  /** The scores of the answer to a query, one array (k,) a sample. Throws MismatchError and DecryptionError. */
  async decrypt(query: Bytes, result: Bytes): Promise<Float64Array[]> {
    const scores = await this.engine.decrypt(query, result);
    const k = this.signature.outputs;
    return Array.from({ length: scores.length / k }, (_, i) => scores.slice(i * k, (i + 1) * k));
  }

  /** The secret key, encrypted under a passphrase, to keep elsewhere than the `passphrase` option does. */
  async exportKey(passphrase: string): Promise<Bytes> {
    return this.engine.seal(passphrase);
  }

  /** Forget the secret key, and end the worker. */
  close(): void {
    this.engine.close();
  }

  #samples(input: Input): Samples {
    const { signature } = this;
    return samplesOf(input, signature.features, signature.featureNames, (feature) => mayBeMissing(signature, feature));
  }

  async #each<T>(input: Input, read: (scores: Float64Array) => T): Promise<T | T[]> {
    const samples = this.#samples(input);
    const pairs: { query: Bytes; result: Bytes }[] = [];
    for (const batch of this.#batches(samples)) {
      const query = await this.engine.encrypt(batch, this.progress);
      pairs.push({ query, result: (await this.ask(query)).result });
    }
    const answers = (await this.#decryptAll(pairs)).map(read);
    return samples.vector ? answers[0]! : answers;
  }

  /**
   * The scores of a whole call, once it has nothing left to send, and an error only after all was tried: a service that
   * sees which of its forgeries decrypt learns the secret key.
   */
  async #decryptAll(pairs: readonly { query: Bytes; result: Bytes }[]): Promise<Float64Array[]> {
    const settled: PromiseSettledResult<Float64Array[]>[] = [];
    for (const { query, result } of pairs) {
      settled.push(...(await Promise.allSettled([this.decrypt(query, result)])));
    }
    return settled.flatMap((one) => {
      if (one.status === "rejected") throw one.reason;
      return one.value;
    });
  }

  /** Batches that the service takes, each as large as it may be. */
  *#batches(samples: Samples): Generator<Samples> {
    const d = this.signature.features;
    const size = this.#batchSize(samples.count);
    for (let first = 0; first < samples.count; first += size) {
      const count = Math.min(size, samples.count - first);
      yield { ...samples, values: samples.values.slice(first * d, (first + count) * d), count };
    }
  }

  #batchSize(samples: number): number {
    const { maxSamples, maxQueryBytes } = this.description;
    const bytes = Math.min(maxQueryBytes, MAX_QUERY_BYTES);
    let size = 2 ** Math.ceil(Math.log2(samples));
    const fits = (): boolean =>
      size <= maxSamples && queryBytes(this.signature, layoutFor(this.signature, size), size) <= bytes;
    while (size > 1 && !fits()) size /= 2;
    return size;
  }

  #requireLink(): Link {
    const { link } = this.signature;
    if (hasProbabilities(link)) return link;
    throw new InputError(
      `predictProba must be asked of a model with probabilities. Model ${this.name} has none: use decisionFunction or ` +
        "predict.",
    );
  }
}

/** Delete the secret key that `connect` kept for a service, in this browser or the given store. */
export async function forgetKeys(url: string | URL, store: KeyStore = new BrowserKeyStore()): Promise<void> {
  const service = new Service(url, {});
  for (const profile of ["fast", "precise"]) await store.delete(`${service.url} ${profile}`);
}
