import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";

import { KeyStoreError } from "../src/errors.ts";
import { FAST, PRECISE } from "../src/parameters.ts";
import { SecretKey } from "../src/secret-key.ts";
import { QUERY_DOMAIN, expand } from "../src/seeds.ts";

const PASSPHRASE = "correct horse battery staple";

test("a stored key is the same key, with the public key it had", async () => {
  for (const parameters of [FAST, PRECISE]) {
    const key = await SecretKey.generate(parameters);
    const opened = await SecretKey.open(await key.seal(PASSPHRASE), PASSPHRASE);
    assert.equal(opened.keyId, key.keyId);
    const c1 = await expand(QUERY_DOMAIN, new Uint8Array(32), 0, parameters, parameters.dataPrimes);
    assert.deepEqual(opened.ringKey.times(c1), key.ringKey.times(c1));
  }
});

test("a wrong passphrase, damage and an empty passphrase are refused", async () => {
  const key = await SecretKey.generate(FAST);
  const sealed = await key.seal(PASSPHRASE);
  await assert.rejects(SecretKey.open(sealed, "wrong"), /passphrase is wrong/);
  for (const at of [0, 4, 6, 30, 100, sealed.length - 1]) {
    const damaged = sealed.slice();
    damaged[at]! ^= 1;
    await assert.rejects(SecretKey.open(damaged, PASSPHRASE), KeyStoreError);
  }
  await assert.rejects(SecretKey.open(sealed.subarray(0, 20), PASSPHRASE), KeyStoreError);
  await assert.rejects(key.seal(""), KeyStoreError);
});

test("sealing twice gives different bytes, and no bytes of the secret in the clear", async () => {
  const key = await SecretKey.generate(FAST);
  const [first, second] = [await key.seal(PASSPHRASE), await key.seal(PASSPHRASE)];
  assert.notDeepEqual(first, second);
  assert.equal(first.length, second.length);
  assert.equal(Buffer.from(first).includes(Buffer.from(key.publicKey.subarray(0, 64))), false);
});

test("a key does not print itself", async () => {
  const key = await SecretKey.generate(FAST);
  assert.equal(JSON.stringify({ key }), '{"key":"SecretKey(<hidden>)"}');
  assert.doesNotMatch(inspect(key.ringKey), /Float64Array/);
});
