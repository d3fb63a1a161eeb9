// How long the explorer's page takes for a frame of exported runs: CPU time on one thread, in Node,
// whose engine is Chromium's. Node 20 has Chromium's fused multiplication only by a flag.
//
// Example:
//     python -m reproduce.explore --run=results/quick --export=explorer
//     node --experimental-wasm-relaxed-simd benchmarks/explorer_frames.mjs explorer/run-*.js

import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import vm from "node:vm";

import { PLACES } from "../reproduce/explore/page/src/judge.js";
import { StaticRun } from "../reproduce/explore/page/src/static.js";

const NUM_FRAMES = 30;
const DRAGGED = 3; // places between two frames
const FRAMES_AN_IMAGE = 10;

/** The run that an exported file holds. */
function load(file) {
  const context = {};
  context.globalThis = context;
  vm.runInNewContext(readFileSync(file, "utf8"), context);
  return new StaticRun(Object.values(context.axisbias)[0]);
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const milliseconds = ({ user, system }) => (user + system) / 1000;

/** The median CPU time of a frame at places of the slider, and of the images decoded for it. */
async function timed(run, space, places) {
  const path = space.path(0);
  const times = [], counts = [];
  for (const [turn, place] of places.entries()) {
    const image = Math.floor(turn / FRAMES_AN_IMAGE) % run.starts.length;
    run.numDecoded = 0;
    const begun = process.cpuUsage();
    await run.strips(space, path.basis(place / PLACES), image);
    times.push(milliseconds(process.cpuUsage(begun)));
    counts.push(run.numDecoded);
  }
  return `${median(times).toFixed(1)} ms (${median(counts)} images)`;
}

/** Lets a run count the images that it decodes. */
function counted(run) {
  const each = run.decoder.each.bind(run.decoder);
  run.decoder.each = (points, use) => {
    run.numDecoded += points.length / run.decoder.chain.inputs;
    each(points, use);
  };
  return run;
}

console.log(`${cpus()[0].model}, Node ${process.versions.node}`);
for (const file of process.argv.slice(2)) {
  const run = counted(load(file));
  const [height, width, channels] = run.decoder.chain.shape;
  for (const [name, space] of Object.entries(run.spaces)) {
    const dragged = Array.from({ length: NUM_FRAMES }, (_, i) => (i * DRAGGED) % (PLACES + 1));
    const jumped = dragged.map((_, i) => (i * 73) % (PLACES + 1));
    await timed(run, space, dragged); // so that all is compiled
    const [drag, jump] = [await timed(run, space, dragged), await timed(run, space, jumped)];
    console.log(
      `${space.scene.title}, ${name}: ${space.scene.labels.length} strips, ${height} x ${width} x ${channels}: ` +
        `dragging ${drag}, jumping ${jump}`,
    );
  }
}
