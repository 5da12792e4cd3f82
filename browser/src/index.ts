/**
 * Encrypted inference from browsers and Node: the service computes on ciphertexts and sees neither input nor result.
 *
 *     const model = await connect("https://models.example.com", { model: "mnist", token });
 *     const label = await model.predict(pixels);
 */
export { type ConnectOptions, type Prediction, RemoteModel, connect, forgetKeys } from "./remote-model.ts";
export type { Answer, ServiceOptions } from "./service.ts";
export type { Progress } from "./client.ts";
export type { Input, Named, Sample, Value } from "./samples.ts";
export type { Link, Method } from "./links.ts";
export type { Label, Signature } from "./signature.ts";
export { Grid, type InputOptions } from "./quantize.ts";
export { BrowserKeyStore, type KeyStore } from "./key-store.ts";
export { signatureFromBytes } from "./wire.ts";
export {
  AuthenticationError,
  BusyError,
  DecryptionError,
  HermeticError,
  InputError,
  KeyStoreError,
  MismatchError,
  ModelNotFoundError,
  ProtocolError,
  RefusedError,
  RemoteError,
  RemoteTimeoutError,
  SignatureChangedError,
  UnreachableError,
  UnsupportedError,
  WireError,
} from "./errors.ts";
