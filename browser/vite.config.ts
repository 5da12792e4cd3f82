import { defineConfig } from "vite";

// The page that `hermetic serve` shows at `/`. Every address in it is relative, so a path before it does no harm.
export default defineConfig({
  root: "demo",
  base: "./",
  build: {
    outDir: "../../src/hermetic/serve/assets",
    emptyOutDir: true,
    assetsDir: "page",
    assetsInlineLimit: 0,
    modulePreload: false,
    target: "es2022",
    reportCompressedSize: false,
  },
  worker: { format: "es" },
});
