/**
 * Everything Hermetic throws on purpose. The names are those of the Python package.
 *
 *     HermeticError
 *     ├── InputError               data that must not be encrypted as it is
 *     ├── UnsupportedError         a model or a platform that this client cannot serve
 *     ├── WireError                bytes that are not a valid Hermetic object
 *     ├── MismatchError            valid objects that do not belong together
 *     ├── DecryptionError          a result that is not an answer to this client
 *     ├── KeyStoreError            a stored secret key that cannot be read or written
 *     └── RemoteError              a service that gave no usable answer
 *         ├── UnreachableError         no connection to it, or one that broke
 *         ├── RemoteTimeoutError       no answer in time
 *         ├── AuthenticationError      it does not accept the token
 *         ├── ModelNotFoundError       it has no such model or version
 *         ├── SignatureChangedError    its model is no longer the one connected to
 *         ├── BusyError                it has no room now, or a quota is used up
 *         ├── RefusedError             it refuses the request itself
 *         └── ProtocolError            what it answers is not what a Hermetic service answers
 */
export class HermeticError extends Error {
  override name = "HermeticError";
}

export class InputError extends HermeticError {
  override name = "InputError";
}

export class UnsupportedError extends HermeticError {
  override name = "UnsupportedError";
}

export class WireError extends HermeticError {
  override name = "WireError";
}

export class MismatchError extends HermeticError {
  override name = "MismatchError";
}

export class DecryptionError extends HermeticError {
  override name = "DecryptionError";
}

export class KeyStoreError extends HermeticError {
  override name = "KeyStoreError";
}

/** What is known of a service's refusal. */
export interface RemoteDetails {
  /** The HTTP status; absent when there was no answer. */
  status?: number | undefined;
  /** What the service's log calls the request. */
  requestId?: string | undefined;
  /** Seconds until the service may answer again, as it says. */
  retryAfter?: number | undefined;
}

export class RemoteError extends HermeticError {
  override name = "RemoteError";
  readonly status: number | undefined;
  readonly requestId: string | undefined;
  readonly retryAfter: number | undefined;

  constructor(message: string, details: RemoteDetails = {}) {
    super(message);
    this.status = details.status;
    this.requestId = details.requestId;
    this.retryAfter = details.retryAfter;
  }
}

export class UnreachableError extends RemoteError {
  override name = "UnreachableError";
}

export class RemoteTimeoutError extends RemoteError {
  override name = "RemoteTimeoutError";
}

export class AuthenticationError extends RemoteError {
  override name = "AuthenticationError";
}

export class ModelNotFoundError extends RemoteError {
  override name = "ModelNotFoundError";
}

export class SignatureChangedError extends RemoteError {
  override name = "SignatureChangedError";
}

export class BusyError extends RemoteError {
  override name = "BusyError";
}

export class RefusedError extends RemoteError {
  override name = "RefusedError";
}

export class ProtocolError extends RemoteError {
  override name = "ProtocolError";
}

/** The errors that computing on keys, inputs and answers throws, by name: these cross from the worker to the page. */
export const LOCAL_ERRORS: ReadonlyMap<string, new (message: string) => HermeticError> = new Map([
  ["HermeticError", HermeticError],
  ["InputError", InputError],
  ["UnsupportedError", UnsupportedError],
  ["WireError", WireError],
  ["MismatchError", MismatchError],
  ["DecryptionError", DecryptionError],
  ["KeyStoreError", KeyStoreError],
]);
