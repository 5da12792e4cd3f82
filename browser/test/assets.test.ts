/** The page that is shipped is the page of these sources, and small. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "vite";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const SHIPPED = fileURLToPath(new URL("../../src/hermetic/serve/assets", import.meta.url));
const MOST_GZIPPED_BYTES = 600_000;

function files(folder: string): Map<string, Buffer> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
  const paths = names.map((one) => join(one.parentPath, one.name)).sort();
  return new Map(paths.map((path) => [path.slice(folder.length + 1), readFileSync(path)]));
}

test("the shipped page is what the sources build: npm run page makes it again", async () => {
  const fresh = mkdtempSync(join(tmpdir(), "hermetic-"));
  try {
    const quiet = { configFile: join(ROOT, "vite.config.ts"), logLevel: "error" } as const;
    await build({ ...quiet, root: join(ROOT, "demo"), build: { outDir: fresh } });
    assert.deepEqual([...files(SHIPPED).keys()], [...files(fresh).keys()]);
    for (const [name, data] of files(fresh))
      assert.ok(files(SHIPPED).get(name)!.equals(data), `${name} is not current`);
  } finally {
    rmSync(fresh, { recursive: true });
  }
});

test("the page, its WebAssembly included, is at most 600 kB compressed", () => {
  const sizes = [...files(SHIPPED).values()].map((data) => gzipSync(data, { level: 9 }).length);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  assert.ok(total <= MOST_GZIPPED_BYTES, `${total} bytes`);
  console.log(`${total} bytes compressed`);
});
