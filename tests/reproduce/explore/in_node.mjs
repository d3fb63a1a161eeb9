// Computes in Node what an exported page computes in a browser: `node in_node.mjs SRC`, with a JSON
// request on the standard input, answers in JSON.

import { readFileSync } from "node:fs";
import vm from "node:vm";

const [src] = process.argv.slice(2);
const from = (name) => import(`${src}/${name}.js`);
const { file, wishes, ...request } = JSON.parse(readFileSync(0, "utf8"));
const answers = {};

if (file) {
  const { StaticRun } = await from("static");
  const context = {};
  context.globalThis = context;
  vm.runInNewContext(readFileSync(file, "utf8"), context);
  const run = new StaticRun(Object.values(context.axisbias)[0]);
  answers.frames = [];
  for (const { space, path, image, time } of wishes) {
    const chosen = run.spaces[space];
    const basis = chosen.path(path).basis(time);
    const begun = performance.now();
    const { shape, pixels, steps, dead } = await run.strips(chosen, basis, image);
    const milliseconds = performance.now() - begun;
    answers.frames.push({ shape, pixels: Buffer.from(pixels).toString("base64"), steps, dead, basis: Array.from(basis), milliseconds });
  }
}
for (const [kind, inputs] of Object.entries(request)) {
  if (kind === "judge") {
    const { judge } = await from("judge");
    answers.judge = inputs.map(({ hidden, guesses }) => judge(hidden, guesses));
  } else if (kind === "haar") {
    const { haar } = await from("geodesic");
    answers.haar = Array.from({ length: inputs.count }, () => Array.from(haar(inputs.size)));
  } else if (kind === "geodesic") {
    const { geodesic } = await from("geodesic");
    answers.geodesic = inputs.map(({ rotation, size, time }) => Array.from(geodesic(rotation, size)(time)));
  } else if (kind === "search") {
    const { search } = await from("search");
    answers.search = inputs.map(({ target, guess, slope, size, pace }) => {
      const run = search(target, { step: guess });
      let turn = run.next();
      while (!turn.done) turn = run.next(turn.value.map(([, step]) => slope * step + size * Math.sin(pace * step)));
      return turn.value;
    });
  } else if (kind === "decode") {
    const { Decoder } = await from("decoder");
    const { unpackNumbers } = await from("numbers");
    answers.decode = inputs.map(({ chain, points, vectors }) => {
      const layers = chain.layers.map((layer) => Object.fromEntries(Object.entries(layer).map(([k, v]) => [k, v?.half || v?.single ? unpackNumbers(v) : v])));
      const decoder = new Decoder({ ...chain, layers }, vectors);
      return { hasVectors: decoder.arena.hasVectors, images: Array.from(decoder.decode(Float32Array.from(points))) };
    });
  }
}
process.stdout.write(JSON.stringify(answers));
