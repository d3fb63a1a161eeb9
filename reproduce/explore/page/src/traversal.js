// Strips matched on image-space energy, as reproduce/traversal/energy_matching.py makes them.

import { BATCH } from "./decoder.js";

const MAX_STEP = 3; // prior standard deviations
const NUM_STEPS = 30; // of the grid on which a step's energy is first looked for
const BISECTIONS = 10; // that end where the few steps of the secants' method lead, too
const NUM_SECANTS = 8;
const NUM_FRAMES = 7;
const SMALLEST = 1e-6; // of a bracket's share: far below what a bisection tells apart

/** Lets the page go on for a moment; ends the computation if nobody waits for it any more. */
async function pause(signal) {
  await new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
  signal?.throwIfAborted();
}

/**
 * Strips along directions from a starting point.
 *
 * decoder: a Decoder. start: its input, of length D. directions: arrays of length D. target: the
 * mean squared pixel change at both ends' mean.
 *
 * Returns: steps, whether each direction is dead, shape [m, frames, height, width, channels], and
 * the pixels as bytes.
 */
export async function traverse(decoder, start, directions, target, signal) {
  const origin = decoder.decode(Float32Array.from(start));
  const matching = new Matching(decoder, start, origin, directions, target, signal);
  const { steps, dead } = await matching.run();
  const { size } = decoder;
  const pixels = new Uint8Array(directions.length * NUM_FRAMES * size);
  const middle = (NUM_FRAMES - 1) / 2;
  const places = [...Array(NUM_FRAMES).keys()].filter((i) => i !== middle);
  const points = directions.flatMap((direction, i) => places.map((place) => [direction, ((place - middle) / middle) * steps[i]]));
  const images = await matching.decode(points);
  const toBytes = (values, at) => values.forEach((value, i) => { pixels[at + i] = Math.round(255 * value); });
  directions.forEach((_, i) => {
    toBytes(origin, (i * NUM_FRAMES + middle) * size);
    places.forEach((place, j) => {
      const from = (i * places.length + j) * size;
      toBytes(images.subarray(from, from + size), (i * NUM_FRAMES + place) * size);
    });
  });
  return { steps, dead, shape: [directions.length, NUM_FRAMES, ...decoder.chain.shape], pixels };
}

class Matching {
  constructor(decoder, start, origin, directions, target, signal) {
    Object.assign(this, { decoder, start, origin, directions, target, signal });
  }

  /** Images of the start moved by [direction, step] pairs, a part at a time. */
  async decode(moves) {
    const { decoder, start } = this;
    const images = new Float32Array(moves.length * decoder.size);
    for (let first = 0; first < moves.length; first += BATCH) {
      const part = moves.slice(first, first + BATCH);
      const points = new Float32Array(part.length * start.length);
      part.forEach(([direction, step], i) => {
        for (let j = 0; j < start.length; j++) points[i * start.length + j] = start[j] + step * direction[j];
      });
      images.set(decoder.decode(points), first * decoder.size);
      await pause(this.signal);
    }
    return images;
  }

  /** Mean squared pixel changes by steps of both signs along the directions of [index, step] pairs. */
  async energies(pairs) {
    const images = await this.decode(pairs.flatMap(([i, step]) => [[this.directions[i], step], [this.directions[i], -step]]));
    const { origin } = this;
    const both = 2 * origin.length;
    return pairs.map((_, p) => {
      let sum = 0;
      for (let i = 0; i < both; i++) sum += (images[p * both + i] - origin[i % origin.length]) ** 2;
      return sum / both;
    });
  }

  /**
   * The smallest step along each direction that changes images by the target energy: first on a
   * grid, whose points are looked at three by three. The first two of three are left out where the
   * energy cannot reach the target there, if images move at most twice as fast as they were seen to.
   */
  async run() {
    const found = this.directions.map((_, i) => ({ i, step: MAX_STEP, dead: true, before: 0, speed: 0 }));
    const spacing = MAX_STEP / NUM_STEPS;
    for (let first = 0; first < NUM_STEPS; first += 3) {
      const open = found.filter(({ dead }) => dead);
      if (open.length === 0) break;
      const at = (g) => (first + g) * spacing;
      const last = await this.energies(open.map(({ i }) => [i, at(3)]));
      open.forEach((one, o) => {
        const [low, high] = [Math.sqrt(one.before), Math.sqrt(last[o])];
        one.speed = Math.max(one.speed, Math.abs(high - low) / (3 * spacing), high / at(3));
        one.grid = [[3, last[o]]];
        one.near = (low + high + 2 * one.speed * 3 * spacing) / 2 >= Math.sqrt(this.target);
      });
      const near = open.filter((one) => one.near);
      const between = near.length > 0 ? await this.energies(near.flatMap(({ i }) => [[i, at(1)], [i, at(2)]])) : [];
      near.forEach((one, n) => one.grid.unshift([1, between[2 * n]], [2, between[2 * n + 1]]));
      for (const one of open) {
        for (const [g, energy] of one.grid) {
          if (!one.dead) break;
          if (energy >= this.target) Object.assign(one, { dead: false, step: at(g), reached: energy });
          else one.before = energy;
        }
      }
    }
    await this.refine(found.filter(({ dead }) => !dead), spacing);
    return { steps: found.map(({ step }) => step), dead: found.map(({ dead }) => dead) };
  }

  /**
   * Finds where the energy is reached between two points of the grid, by secants (the Illinois
   * variant of regula falsi), for energy's root is nearly linear; then goes up to the next of the
   * places between which bisections choose.
   */
  async refine(live, spacing) {
    const excess = (energy) => Math.sqrt(energy) - Math.sqrt(this.target);
    const brackets = live.map((one) => ({ one, low: 0, high: 1, below: excess(one.before), above: excess(one.reached), last: 0, at: 1 }));
    const begin = (bracket) => bracket.one.step - spacing;
    let open = brackets;
    for (let turn = 0; turn < NUM_SECANTS && open.length > 0; turn++) {
      for (const b of open) b.next = b.above === b.below ? b.high : b.high - (b.above * (b.high - b.low)) / (b.above - b.below);
      const energies = await this.energies(open.map((b) => [b.one.i, begin(b) + spacing * b.next]));
      open.forEach((b, o) => {
        const value = excess(energies[o]);
        b.moved = Math.abs(b.next - b.at);
        b.at = b.next;
        if (value >= 0) {
          if (b.last > 0) b.below /= 2;
          Object.assign(b, { high: b.next, above: value, last: 1 });
        } else {
          if (b.last < 0) b.above /= 2;
          Object.assign(b, { low: b.next, below: value, last: -1 });
        }
      });
      open = open.filter((b) => b.moved > 1e-3 && b.high - b.low > SMALLEST);
    }
    const cells = 2 ** BISECTIONS;
    for (const b of brackets) b.one.step = begin(b) + (spacing * Math.ceil(cells * b.at)) / cells;
  }
}
