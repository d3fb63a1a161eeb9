/**
 * Bundles src/ into dist/: index.html, explore.js, explore.css. Nothing of others goes into them.
 *
 * The same sources give the same bytes. explore.js begins with a hash of everything that it was
 * made of, by which a test tells whether dist/ is up to date without Node.
 */

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));

function sourceHash() {
  const names = readdirSync(join(here, "src")).sort().map((name) => `src/${name}`);
  const hash = createHash("sha256");
  for (const name of [...names, "build.mjs", "package-lock.json"]) {
    hash.update(`${name}\0`).update(readFileSync(join(here, name))).update("\0");
  }
  return hash.digest("hex");
}

mkdirSync(join(here, "dist"), { recursive: true });
const { metafile } = await build({
  absWorkingDir: here,
  entryPoints: ["src/main.js"],
  outfile: "dist/explore.js",
  banner: { js: `/* sources sha256:${sourceHash()} */` },
  bundle: true,
  charset: "utf8",
  format: "iife", // a module would not load from file://
  metafile: true,
  minify: true,
  target: ["es2022"],
});
const foreign = Object.keys(metafile.inputs).filter((name) => !name.startsWith("src/"));
if (foreign.length > 0) throw new Error(`whose licence goes into dist/? ${foreign}`);
await build({ absWorkingDir: here, entryPoints: ["src/explore.css"], outfile: "dist/explore.css", minify: true });
writeFileSync(join(here, "dist", "index.html"), readFileSync(join(here, "src", "index.html")));
