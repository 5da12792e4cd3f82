/**
 * Hermetic's own envelopes: what crosses the trust boundary.
 *
 *     header: "HRMT" | version (1) | kind (1) | reserved (2) | body bytes (8) | parameter digest (16)
 *     body
 *     checksum: SHA-256 of header and body (32)
 *
 * Numbers are little-endian. The length is checked before anything is allocated, the checksum before anything is
 * unpacked, and every word against its prime before SEAL sees it. Reading throws WireError or, for a valid object of
 * another model or other parameters, MismatchError; never anything else.
 */
import { packedBytes, pack, unpack } from "./bitpacking.ts";
import { type Bytes, concat, equal, fromHex, sha256, toHex } from "./bytes.ts";
import { MismatchError, WireError } from "./errors.ts";
import { type Layout, chunks, queryPolynomials, resultPolynomials } from "./packing.ts";
import { type Parameters, bitLength, parametersFor } from "./parameters.ts";
import type { Polynomial, Residues } from "./residues.ts";
import { SEED_BYTES } from "./seeds.ts";
import {
  type LinearSignature,
  type Signature,
  type TreeSignature,
  encryptedValues,
  layoutsFor,
  signatureFromJson,
} from "./signature.ts";
import { type SectionAnswer, packSample, unpackSample } from "./tree-answers.ts";
import { type TreeCircuit, sampleBytes } from "./trees.ts";

const MAGIC = "HRMT";
const VERSION = 1;
const KINDS = { signature: 1, "public key": 2, query: 3, result: 4 } as const;
type Kind = keyof typeof KINDS;

const HEADER_BYTES = 32;
const CHECKSUM_BYTES = 32;
const OVERHEAD_BYTES = HEADER_BYTES + CHECKSUM_BYTES;
const DIGEST_BYTES = 32;
const BATCH_BYTES = 3 * DIGEST_BYTES + 20;
const MAX_SIGNATURE_BYTES = 256 * 2 ** 20;

/** The most samples of one query. */
export const MAX_SAMPLES = 2 ** 24;

/** A client's public key (b, a), for fresh encryptions of zero; `a` is only ever a seed. */
export interface PublicKey {
  readonly parameters: Parameters;
  readonly seed: Bytes;
  /** One row a prime of the key modulus, in evaluation form. */
  readonly b: Polynomial;
}

/** What a query and its result say about themselves in the clear. */
export interface Batch {
  /** The signature's digest, the public key's id (32 bytes each) and the seed of the query's ciphertexts. */
  readonly signature: Bytes;
  readonly key: Bytes;
  readonly query: Bytes;
  readonly samples: number;
  readonly layout: Layout;
  /** Whether the input was one sample of shape (d,). */
  readonly vector: boolean;
}

/** An encrypted batch: the c0 of every ciphertext, in evaluation form; their c1 are a seed. */
export interface Query {
  readonly parameters: Parameters;
  readonly batch: Batch;
  readonly c0: readonly Polynomial[];
}

/** An encrypted answer: of a linear circuit, or of trees. */
export type Result = LinearResult | TreeResult;

/** For each sample its sections, of which all but the first are sealed. */
export interface TreeResult {
  readonly kind: "trees";
  readonly parameters: Parameters;
  readonly batch: Batch;
  readonly circuit: TreeCircuit;
  readonly answers: readonly (readonly SectionAnswer[])[];
}

/** A c1 in coefficient form for every result polynomial, and the target words of their c0. */
export interface LinearResult {
  readonly kind: "linear";
  readonly parameters: Parameters;
  readonly batch: Batch;
  readonly c1: readonly Polynomial[];
  /** One row a kept prime, in the order chunk, output, sample. */
  readonly words: Polynomial;
}

export async function publicKeyToBytes(key: PublicKey): Promise<Bytes> {
  return seal("public key", key.parameters, concat(key.seed, packRows([key.b], key.parameters.keyPrimes)));
}

/** Exact bytes of a public key's envelope. */
export function publicKeyBytes(parameters: Parameters): number {
  return OVERHEAD_BYTES + SEED_BYTES + packedRowsBytes(1, parameters, parameters.keyPrimes);
}

export async function publicKeyFromBytes(data: Bytes): Promise<PublicKey> {
  const { parameters, body } = await open(data, "public key");
  expectBytes("a public key", body, publicKeyBytes(parameters) - OVERHEAD_BYTES);
  const [b] = unpackRows(body.subarray(SEED_BYTES), 1, parameters, parameters.keyPrimes);
  return { parameters, seed: body.slice(0, SEED_BYTES), b: b! };
}

export async function queryToBytes(query: Query): Promise<Bytes> {
  const { parameters, batch, c0 } = query;
  return seal("query", parameters, concat(packBatch(batch), packRows(c0, parameters.dataPrimes)));
}

/** Exact bytes of a query of `samples` samples in a layout. */
export function queryBytes(signature: Signature, layout: Layout, samples: number): number {
  const count = chunks(layout, samples) * queryPolynomials(layout, encryptedValues(signature));
  const { parameters } = signature;
  return OVERHEAD_BYTES + BATCH_BYTES + packedRowsBytes(count, parameters, parameters.dataPrimes);
}

export async function queryFromBytes(data: Bytes, signature: Signature): Promise<Query> {
  const body = await openFor(data, "query", signature);
  const batch = unpackBatch(body, signature);
  expectBytes("this query", body, queryBytes(signature, batch.layout, batch.samples) - OVERHEAD_BYTES);
  const count = chunks(batch.layout, batch.samples) * queryPolynomials(batch.layout, encryptedValues(signature));
  const { parameters } = signature;
  return { parameters, batch, c0: unpackRows(body.subarray(BATCH_BYTES), count, parameters, parameters.dataPrimes) };
}

export async function resultToBytes(result: Result): Promise<Bytes> {
  const { parameters, batch } = result;
  if (result.kind === "trees") {
    const samples = result.answers.map((answers) => packSample(answers, result.circuit));
    return seal("result", parameters, concat(packBatch(batch), ...samples));
  }
  const { c1, words } = result;
  const packed = words.map((row, i) => pack(row, bitLength(parameters.keptPrimes[i]!)));
  return seal("result", parameters, concat(packBatch(batch), packRows(c1, parameters.keptPrimes), ...packed));
}

/** Exact bytes of the answer to `samples` samples in a layout. */
export function resultBytes(signature: Signature, layout: Layout, samples: number): number {
  if (signature.kind === "trees") {
    return OVERHEAD_BYTES + BATCH_BYTES + samples * sampleBytes(signature.circuit, signature.parameters);
  }
  const { parameters, integerOutputs } = signature;
  const count = chunks(layout, samples) * resultPolynomials(layout, integerOutputs);
  const polynomials = packedRowsBytes(count, parameters, parameters.keptPrimes);
  const words = parameters.keptPrimes.map((prime) => packedBytes(samples * integerOutputs, bitLength(prime)));
  return OVERHEAD_BYTES + BATCH_BYTES + polynomials + words.reduce((total, one) => total + one, 0);
}

export async function resultFromBytes(data: Bytes, signature: Signature): Promise<Result> {
  const body = await openFor(data, "result", signature);
  const batch = unpackBatch(body, signature);
  expectBytes("this result", body, resultBytes(signature, batch.layout, batch.samples) - OVERHEAD_BYTES);
  return signature.kind === "trees" ? readTreeResult(body, batch, signature) : readLinear(body, batch, signature);
}

function readTreeResult(body: Bytes, batch: Batch, { parameters, circuit }: TreeSignature): TreeResult {
  const each = sampleBytes(circuit, parameters);
  const answers = Array.from({ length: batch.samples }, (_, i) => {
    const start = BATCH_BYTES + i * each;
    return unpackSample(body.subarray(start, start + each), circuit, parameters.ringDegree);
  });
  return { kind: "trees", parameters, batch, circuit, answers };
}

function readLinear(body: Bytes, batch: Batch, { parameters, integerOutputs }: LinearSignature): LinearResult {
  const primes = parameters.keptPrimes;
  const count = chunks(batch.layout, batch.samples) * resultPolynomials(batch.layout, integerOutputs);
  let start = BATCH_BYTES + packedRowsBytes(count, parameters, primes);
  const c1 = unpackRows(body.subarray(BATCH_BYTES, start), count, parameters, primes);
  const words = primes.map((prime) => {
    const end = start + packedBytes(batch.samples * integerOutputs, bitLength(prime));
    const row = unpackBelow(body.subarray(start, end), batch.samples * integerOutputs, prime);
    start = end;
    return row;
  });
  return { kind: "linear", parameters, batch, c1, words };
}

export async function signatureToBytes(signature: Signature): Promise<Bytes> {
  return seal("signature", signature.parameters, signature.json);
}

export async function signatureFromBytes(data: Bytes): Promise<Signature> {
  if (data.length > MAX_SIGNATURE_BYTES) {
    throw new WireError(`a signature must have at most ${MAX_SIGNATURE_BYTES} bytes. Got ${data.length} instead.`);
  }
  const { parameters, body } = await open(data, "signature");
  const signature = await signatureFromJson(body.slice());
  if (signature.parameters !== parameters) {
    throw new WireError("the signature's header and body must name the same parameters.");
  }
  return signature;
}

/** What a query says about itself in the clear. */
export function readBatch(query: Bytes, signature: Signature): Batch {
  return unpackBatch(query.subarray(HEADER_BYTES, query.length - CHECKSUM_BYTES), signature);
}

/** Whether a query and a result, both envelopes, are of one batch: the same model, key, seed, samples and layout. */
export function sameBatch(query: Uint8Array, result: Uint8Array): boolean {
  const batch = (envelope: Uint8Array): Uint8Array => envelope.subarray(HEADER_BYTES, HEADER_BYTES + BATCH_BYTES);
  return equal(batch(query), batch(result));
}

async function seal(kind: Kind, parameters: Parameters, body: Uint8Array): Promise<Bytes> {
  const header = new Uint8Array(HEADER_BYTES);
  header.set(new TextEncoder().encode(MAGIC));
  header[4] = VERSION;
  header[5] = KINDS[kind];
  new DataView(header.buffer).setBigUint64(8, BigInt(body.length), true);
  header.set(fromHex(parameters.digest), 16);
  const envelope = concat(header, body);
  return concat(envelope, await sha256(envelope));
}

async function open(data: Bytes, kind: Kind): Promise<{ parameters: Parameters; body: Bytes }> {
  if (data.length < OVERHEAD_BYTES) {
    throw new WireError(`an envelope must have at least ${OVERHEAD_BYTES} bytes. Got ${data.length} instead.`);
  }
  const header = new DataView(data.buffer, data.byteOffset, HEADER_BYTES);
  const magic = String.fromCharCode(...data.subarray(0, MAGIC.length));
  if (magic !== MAGIC) {
    throw new WireError(`an envelope must start with ${MAGIC}. Got ${JSON.stringify(magic)} instead.`);
  }
  if (data[4] !== VERSION) {
    throw new WireError(
      `the wire format's version must be ${VERSION}. Got ${data[4]} instead: update @hermetic/client.`,
    );
  }
  if (data[5] !== KINDS[kind]) {
    const found = Object.entries(KINDS).find(([, code]) => code === data[5])?.[0] ?? `kind ${data[5]}`;
    throw new WireError(`a ${kind} must be given. Got a ${found} instead.`);
  }
  if (header.getUint16(6) !== 0) throw new WireError("reserved bytes must be zero. Some are set.");
  const length = header.getBigUint64(8, true);
  if (length !== BigInt(data.length - OVERHEAD_BYTES)) {
    throw new WireError(
      `the body must have ${length} bytes as its header says. Got ${data.length - OVERHEAD_BYTES} instead.`,
    );
  }
  const end = data.length - CHECKSUM_BYTES;
  if (!equal(await sha256(data.subarray(0, end)), data.subarray(end))) {
    throw new WireError("the checksum must match. It does not: the bytes were damaged on the way.");
  }
  return { parameters: parametersFor(data.subarray(16, HEADER_BYTES)), body: data.subarray(HEADER_BYTES, end) };
}

async function openFor(data: Bytes, kind: Kind, signature: Signature): Promise<Bytes> {
  const { parameters, body } = await open(data, kind);
  if (parameters !== signature.parameters) {
    throw new MismatchError(
      `the ${kind} must use the parameters ${signature.parameters.profile}. Got ${parameters.profile} instead.`,
    );
  }
  return body;
}

function expectBytes(name: string, body: Uint8Array, expected: number): void {
  if (body.length !== expected) {
    throw new WireError(`the body of ${name} must have ${expected} bytes. Got ${body.length} instead.`);
  }
}

function packBatch(batch: Batch): Bytes {
  const tail = new DataView(new ArrayBuffer(BATCH_BYTES - 3 * DIGEST_BYTES));
  const { samples, features, outputs } = batch.layout;
  [batch.samples, samples, features, outputs].forEach((value, i) => tail.setUint32(4 * i, value, true));
  tail.setUint8(16, batch.vector ? 1 : 0);
  return concat(batch.signature, batch.key, batch.query, new Uint8Array(tail.buffer));
}

function unpackBatch(body: Bytes, signature: Signature): Batch {
  if (body.length < BATCH_BYTES) {
    throw new WireError(`the body must have at least ${BATCH_BYTES} bytes. Got ${body.length} instead.`);
  }
  const digest = body.slice(0, DIGEST_BYTES);
  if (toHex(digest) !== signature.digest) {
    throw new MismatchError(
      `the object must belong to model ${signature.name} (signature ${signature.digest.slice(0, 16)}…). It was made ` +
        `for signature ${toHex(digest).slice(0, 16)}… instead: connect again to fetch the current signature.`,
    );
  }
  const tail = new DataView(body.buffer, body.byteOffset + 3 * DIGEST_BYTES, BATCH_BYTES - 3 * DIGEST_BYTES);
  const [samples, b, f, r] = [0, 4, 8, 12].map((at) => tail.getUint32(at, true)) as [number, number, number, number];
  const vector = tail.getUint8(16);
  if (vector > 1 || tail.getUint8(17) !== 0 || tail.getUint16(18) !== 0) {
    throw new WireError("reserved bytes must be zero. Some are set.");
  }
  if (samples < 1 || samples > MAX_SAMPLES || (vector === 1 && samples !== 1)) {
    throw new WireError(`a batch must have 1 to ${MAX_SAMPLES} samples. Got ${samples} instead.`);
  }
  const layout = layoutsFor(signature, samples).find(
    (one) => one.samples === b && one.features === f && one.outputs === r,
  );
  if (layout === undefined) {
    throw new WireError(`the layout must be one of the signature's. Got B=${b}, f=${f}, r=${r} instead.`);
  }
  return {
    signature: digest,
    key: body.slice(DIGEST_BYTES, 2 * DIGEST_BYTES),
    query: body.slice(2 * DIGEST_BYTES, 3 * DIGEST_BYTES),
    samples,
    layout,
    vector: vector === 1,
  };
}

function packedRowsBytes(count: number, parameters: Parameters, primes: readonly number[]): number {
  return count * primes.reduce((total, prime) => total + packedBytes(parameters.ringDegree, bitLength(prime)), 0);
}

/** Prime by prime, each with the rows of all polynomials. Rows fill whole 64-bit limbs, so each is packed alone. */
function packRows(polynomials: readonly Polynomial[], primes: readonly number[]): Bytes {
  return concat(
    ...primes.flatMap((prime, i) => polynomials.map((polynomial) => pack(polynomial[i]!, bitLength(prime)))),
  );
}

function unpackRows(data: Uint8Array, count: number, parameters: Parameters, primes: readonly number[]): Residues[][] {
  const out: Residues[][] = Array.from({ length: count }, () => []);
  let start = 0;
  for (const prime of primes) {
    const bytes = packedBytes(parameters.ringDegree, bitLength(prime));
    for (const polynomial of out) {
      polynomial.push(unpackBelow(data.subarray(start, start + bytes), parameters.ringDegree, prime));
      start += bytes;
    }
  }
  return out;
}

function unpackBelow(data: Uint8Array, count: number, prime: number): Residues {
  const words = unpack(data, count, bitLength(prime));
  if (words.some((word) => word >= prime)) {
    throw new WireError(`every word must be below its prime ${prime}. One is not.`);
  }
  return words;
}
