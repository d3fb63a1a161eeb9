/**
 * Bundles src/ into dist/: index.html, study.js, study.css, licenses.txt.
 *
 * The same sources give the same bytes. study.js begins with a hash of everything that it was made
 * of, by which a test tells whether dist/ is up to date without Node.
 */

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const src = join(here, "src");
const dist = join(here, "dist");

function sourceHash() {
  const names = readdirSync(src).sort().map((name) => `src/${name}`);
  const hash = createHash("sha256");
  for (const name of [...names, "build.mjs", "package-lock.json"]) {
    hash.update(`${name}\0`).update(readFileSync(join(here, name))).update("\0");
  }
  return hash.digest("hex");
}

const MIT = readFileSync(join(here, "mit.txt"), "utf8").trim();

/** The licences of the packages that went into the bundle. */
function licenses(inputs) {
  const packages = new Set();
  for (const input of Object.keys(inputs)) {
    const found = input.match(/^node_modules\/((?:@[^/]+\/)?[^/]+)\//);
    if (found) packages.add(found[1]);
  }
  const parts = [...packages].sort().map((name) => {
    const folder = join(here, "node_modules", name);
    const { author, license, version } = JSON.parse(readFileSync(join(folder, "package.json")));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    if (!file && license !== "MIT") throw new Error(`${name} comes without its licence's text`);
    // Some name the MIT licence in package.json and leave its text out.
    const text = file ? readFileSync(join(folder, file), "utf8").trim() : `Copyright (c) ${author}\n\n${MIT}`;
    return `${name} ${version} (${license})\n\n${text}`;
  });
  return `${parts.join(`\n\n${"-".repeat(72)}\n\n`)}\n`;
}

mkdirSync(dist, { recursive: true });
const { metafile } = await build({
  absWorkingDir: here,
  entryPoints: ["src/main.js"],
  outfile: "dist/study.js",
  banner: { js: `/* sources sha256:${sourceHash()}; licences of others: licenses.txt */` },
  bundle: true,
  charset: "utf8",
  format: "iife", // a module would not load from file://
  legalComments: "none",
  metafile: true,
  preserveSymlinks: true,
  minify: true,
  target: ["es2022"],
});
await build({
  absWorkingDir: here, entryPoints: ["src/study.css"], outfile: "dist/study.css", minify: true,
});
writeFileSync(join(dist, "index.html"), readFileSync(join(src, "index.html")));
writeFileSync(join(dist, "licenses.txt"), licenses(metafile.inputs));
