// Frames that this browser makes, of runs that reproduce/explore/export.py wrote beside the page.

import { Decoder } from "./decoder.js";
import { below, geodesic, haar, permutation, uniform } from "./geodesic.js";
import { PLACES } from "./judge.js";
import { unpackNumbers } from "./numbers.js";
import { traverse } from "./traversal.js";

/** Loads a file beside the page. A page from a disk may not read files, but it may run scripts. */
function load(name) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = name;
    script.onload = () => {
      script.remove();
      resolve(globalThis.axisbias[name]);
      delete globalThis.axisbias[name];
    };
    script.onerror = () => reject(new Error(`${name}, which belongs to this page, cannot be loaded: put it beside the page again.`));
    document.head.append(script);
  });
}

/** A run as it was written, with its numbers and its decoder. */
export class StaticRun {
  constructor(written) {
    Object.assign(this, written);
    const layers = written.chain.layers.map((layer) => {
      const numbers = ["kernel", "bias", "scale", "shift"].filter((name) => layer[name]);
      return { ...layer, ...Object.fromEntries(numbers.map((name) => [name, unpackNumbers(layer[name])])) };
    });
    this.decoder = new Decoder({ ...written.chain, layers });
    const starts = unpackNumbers(written.starts), { inputs } = written.chain;
    this.starts = Array.from({ length: starts.length / inputs }, (_, i) => starts.subarray(i * inputs, (i + 1) * inputs));
    this.spaces = Object.fromEntries(Object.entries(written.spaces).map(([name, space]) => [name, new StaticSpace(space, inputs)]));
  }

  /** Strips along the first axes of a basis [k, k]; the frame before tells about where to look. */
  async strips(space, basis, image, signal) {
    const strips = await traverse(this.decoder, this.starts[image], space.directions(basis), space.scene.energy, signal, space.found);
    space.found = strips.found;
    return strips;
  }
}

class StaticSpace {
  constructor({ scene, axes, has_unit_steps, paths }, inputs) {
    Object.assign(this, { scene, paths, inputs, hasUnitSteps: has_unit_steps });
    this.axes = unpackNumbers(axes);
    this.size = scene.size;
    this.known = {};
    this.found = []; // of the last frame's strips
  }

  /** A path's bases, by time, and its tables by place. */
  path(number) {
    if (!this.known[number]) {
      const { rotation, metrics, information, leakage } = this.paths[number];
      const table = (packed) => packed && unpackNumbers(packed);
      this.known[number] = {
        basis: geodesic(unpackNumbers(rotation), this.size),
        metrics: Object.fromEntries(Object.entries(metrics).map(([name, values]) => [name, unpackNumbers(values)])),
        information: table(information),
        leakage: table(leakage),
      };
    }
    return this.known[number];
  }

  /** The first axes of a basis [k, k] as directions of the decoder's input. */
  directions(basis) {
    const { size, axes, inputs } = this;
    return this.scene.labels.map((_, j) => {
      const direction = new Float64Array(inputs);
      for (let i = 0; i < size; i++) {
        for (let d = 0; d < inputs; d++) direction[d] += basis[i * size + j] * axes[i * inputs + d];
      }
      const norm = this.hasUnitSteps ? Math.hypot(...direction) : 1;
      return direction.map((value) => value / norm);
    });
  }

  /** How far the first axes are from the learned ones, in degrees. */
  angles(basis) {
    return this.scene.labels.map((_, i) => (180 / Math.PI) * Math.acos(Math.min(1, Math.abs(basis[i * this.size + i]))));
  }

  /** Rows of a table [places, axes, factors] at one place. */
  rows(table, place) {
    const m = this.scene.labels.length, f = this.scene.factors.length;
    return table && Array.from({ length: m }, (_, i) => Array.from(table.subarray((place * m + i) * f, (place * m + i + 1) * f)));
  }
}

/** A round of the blind game, as reproduce/explore/blind.py draws it. */
export class Round {
  constructor(size, image) {
    this.hidden = below(PLACES + 1);
    this.path = geodesic(haar(size), size);
    this.order = permutation(size);
    this.signs = this.order.map(() => (uniform() < 0.5 ? -1 : 1));
    this.image = image;
    this.size = size;
  }

  basis(place) {
    const { size, order, signs } = this;
    const basis = this.path((place - this.hidden) / PLACES);
    return basis.map((_, at) => signs[at % size] * basis[at - (at % size) + order[at % size]]);
  }
}

/** A source of frames; ServedSource is the other one, with the same methods. */
export class StaticSource {
  #runs;
  #loaded = {};
  #game = null; // what is hidden in the session that is played

  /** runs: [{title, data_set, file}]. */
  constructor(runs) {
    this.#runs = runs;
  }

  async runs() {
    return this.#runs;
  }

  async #run(number) {
    const { file } = this.#runs[number];
    // One at a time, for memory.
    if (!this.#loaded[file]) this.#loaded = { [file]: new StaticRun(await load(file)) };
    return this.#loaded[file];
  }

  async scene({ run, space, path }) {
    const { spaces } = await this.#run(run);
    const chosen = spaces[space] ?? Object.values(spaces)[0];
    const { metrics } = chosen.path(path);
    return {
      ...chosen.scene,
      num_paths: chosen.paths.length,
      times: Array.from({ length: PLACES + 1 }, (_, place) => place / PLACES),
      metrics: chosen.scene.metrics.map((metric) => ({ ...metric, path: Array.from(metrics[metric.name]) })),
    };
  }

  async frame({ run, space, path, image, place }, signal) {
    const loaded = await this.#run(run);
    const chosen = loaded.spaces[space];
    const known = chosen.path(path);
    const basis = known.basis(place / PLACES);
    return {
      ...(await loaded.strips(chosen, basis, image, signal)),
      angles: chosen.angles(basis),
      metrics: Object.fromEntries(Object.entries(known.metrics).map(([name, values]) => [name, values[place]])),
      information: chosen.rows(known.information, place),
      leakage: chosen.rows(known.leakage, place),
    };
  }

  async begin({ run, space, rounds, seen }) {
    const loaded = await this.#run(run);
    const { size, scene } = loaded.spaces[space];
    const images = permutation(rounds).map((i) => i % loaded.starts.length);
    this.#game = { run, space, seen, rounds: images.map((image) => new Round(size, image)), guesses: [] };
    return { key: "", axes: scene.labels.length };
  }

  async blindFrame({ round, place }, signal) {
    const { run, space, rounds } = this.#game;
    const loaded = await this.#run(run);
    const { image } = rounds[round];
    const { shape, pixels, dead } = await loaded.strips(loaded.spaces[space], rounds[round].basis(place), image, signal);
    return { shape, pixels, dead };
  }

  async guess({ place }) {
    const { rounds, guesses, seen } = this.#game;
    guesses.push(place);
    const told = { round: guesses.length, rounds: rounds.length };
    if (guesses.length < rounds.length) return told;
    return { ...told, result: { hidden: rounds.map(({ hidden }) => hidden), guesses, seen } };
  }
}
