/** Where encrypted secret keys are kept, if the user wants that: IndexedDB in browsers. */
import type { Bytes } from "./bytes.ts";
import { KeyStoreError, UnsupportedError } from "./errors.ts";

/** Keeps sealed keys by name. They are encrypted under a passphrase before they get here. */
export interface KeyStore {
  get(name: string): Promise<Bytes | undefined>;
  put(name: string, sealed: Bytes): Promise<void>;
  delete(name: string): Promise<void>;
}

const DATABASE = "hermetic";
const KEYS = "keys";

/** The browser's own database; other origins cannot read it. */
export class BrowserKeyStore implements KeyStore {
  async get(name: string): Promise<Bytes | undefined> {
    const found = await this.#run("readonly", (keys) => keys.get(name));
    return found instanceof Uint8Array ? new Uint8Array(found) : undefined;
  }

  async put(name: string, sealed: Bytes): Promise<void> {
    await this.#run("readwrite", (keys) => keys.put(sealed, name));
  }

  async delete(name: string): Promise<void> {
    await this.#run("readwrite", (keys) => keys.delete(name));
  }

  async #run(mode: IDBTransactionMode, request: (keys: IDBObjectStore) => IDBRequest): Promise<unknown> {
    if (typeof indexedDB === "undefined") {
      throw new UnsupportedError("keeping a key needs IndexedDB. There is none here: pass a store of your own.");
    }
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(KEYS);
    const database = await settled(opening);
    try {
      return await settled(request(database.transaction(KEYS, mode).objectStore(KEYS)));
    } finally {
      database.close();
    }
  }
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => {
      reject(
        new KeyStoreError(`the browser's database cannot be used: ${request.error?.message ?? "it gives no reason"}.`),
      );
    };
  });
}
