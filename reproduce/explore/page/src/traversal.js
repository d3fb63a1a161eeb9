// Strips matched on image-space energy, as reproduce/traversal/energy_matching.py makes them.

import { BATCH } from "./decoder.js";
import { REACH, UNKNOWN, search } from "./search.js";

const NUM_FRAMES = 2 * REACH + 1;

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
 * mean squared pixel change at both ends' mean. guesses: what was found for a frame that is much
 * the same; it saves time.
 *
 * Returns: steps, whether each direction is dead, shape [m, frames, height, width, channels], the
 * pixels as bytes, and what was found, as guesses for the next frame.
 */
export async function traverse(decoder, start, directions, target, signal, guesses = []) {
  const { size } = decoder;
  const pixels = new Uint8Array(directions.length * NUM_FRAMES * size);
  const draw = (image, strip, frame) => pixels.set(decoder.bytes(image), (strip * NUM_FRAMES + REACH + frame) * size);
  decoder.each(Float32Array.from(start), (image) => {
    decoder.keep(image);
    directions.forEach((_, strip) => draw(image, strip, 0));
  });
  const searches = directions.map((_, strip) => search(Math.sqrt(target), guesses[strip] ?? UNKNOWN));
  let turns = searches.map((one) => one.next());
  while (turns.some(({ done }) => !done)) {
    const wanted = turns.flatMap(({ done, value }, strip) => (done ? [] : value.map(([frame, step]) => ({ strip, frame, step }))));
    const images = wanted.flatMap((one) => [one, { ...one, frame: -one.frame, step: -one.step }]);
    const changes = [];
    for (let first = 0; first < images.length; first += BATCH) {
      const part = images.slice(first, first + BATCH);
      const points = part.flatMap(({ strip, step }) => Array.from(start, (value, i) => value + step * directions[strip][i]));
      decoder.each(Float32Array.from(points), (image, i) => {
        if (part[i].frame) draw(image, part[i].strip, part[i].frame);
        changes.push(decoder.change(image));
      });
      await pause(signal);
    }
    const roots = wanted.map((_, i) => Math.sqrt((changes[2 * i] + changes[2 * i + 1]) / (2 * size)));
    turns = turns.map((turn, strip) => (turn.done ? turn : searches[strip].next(roots.filter((_, i) => wanted[i].strip === strip))));
  }
  const found = turns.map(({ value }) => value);
  return {
    steps: found.map(({ step }) => step),
    dead: found.map(({ dead }) => dead),
    shape: [directions.length, NUM_FRAMES, ...decoder.chain.shape],
    pixels,
    found,
  };
}
