// A decoder of dense layers and transposed convolutions, computed here as models/layer_chain.py
// describes it.

import { Arena, COLUMNS, ROWS, roundUp } from "./kernels.js";

export const BATCH = 32; // inputs that are decoded at once

/** A layer's columns: a dense layer's outputs, or what a pixel adds to all that its kernel sees. */
const columnsOf = (layer) => roundUp(layer.outputs * (layer.size ?? 1) ** 2, COLUMNS);
const pixelsOf = (layer) => (layer.size ? layer.height * layer.width : 1);

/** Sides of what a transposed convolution sums up, of which SAME padding crops the border. */
function sidesOf({ height, width, size, stride }) {
  const before = Math.floor((size - stride) / 2);
  return { tall: height * stride + size - stride, wide: width * stride + size - stride, before };
}

export class Decoder {
  /**
   * chain: {inputs, uniform: [bool], layers: [{inputs, outputs, kernel, bias, activation, slope,
   * scale?, shift?, and of a convolution height, width, size, stride}], output: {kind, gain},
   * shape: [height, width, channels]}, with kernels [inputs, outputs] or [size, size, outputs,
   * inputs] as flat Float32Arrays.
   */
  constructor(chain, vectors = true) {
    this.chain = chain;
    this.size = chain.shape.reduce((a, b) => a * b);
    const { layers } = chain;
    const steps = layers.map((layer) => {
      const pixels = pixelsOf(layer), columns = columnsOf(layer);
      const { tall, wide } = layer.size ? sidesOf(layer) : {};
      return {
        layer, pixels, columns,
        weights: layer.inputs * columns,
        products: roundUp(layer.size ? pixels : BATCH, ROWS) * columns,
        sums: layer.size ? tall * wide * layer.outputs + 4 : 0,
        biases: layer.size ? layer.width * layer.stride * layer.outputs : columns,
        results: pixels * (layer.stride ?? 1) ** 2 * layer.outputs, // of an image
      };
    });
    const most = (key) => Math.max(...steps.map((step) => step[key]));
    const largest = BATCH * Math.max(most("results"), chain.inputs) + ROWS * Math.max(...layers.map((layer) => layer.inputs));
    const total = steps.reduce((sum, { weights, biases }) => sum + weights + biases + 8, 0);
    const arena = new Arena(total + 2 * largest + most("products") + most("sums") + most("columns") + 64, vectors);
    this.arena = arena;
    this.steps = steps.map((step) => ({
      ...step,
      weights: pack(step.layer, step.columns, arena.reserve(step.weights)),
      bias: biasOf(step.layer, arena.reserve(step.biases)),
    }));
    this.buffers = [0, 1].map(() => arena.reserve(largest));
    this.products = arena.reserve(most("products"));
    this.sums = arena.reserve(most("sums"));
    this.zeros = arena.reserve(most("columns"));
  }

  /** Images in [0, 1] of points [n, inputs], both flat and float32. */
  decode(points) {
    const { inputs } = this.chain;
    const count = points.length / inputs;
    const images = new Float32Array(count * this.size);
    for (let first = 0; first < count; first += BATCH) {
      const n = Math.min(BATCH, count - first);
      images.set(this.#batch(points.subarray(first * inputs, (first + n) * inputs), n), first * this.size);
    }
    return images;
  }

  #batch(points, n) {
    const { uniform, output } = this.chain;
    let [from, to] = this.buffers;
    from.set(points);
    if (uniform.some((is) => is)) for (let i = 0; i < points.length; i++) if (uniform[i % uniform.length]) from[i] = erf(points[i] / Math.SQRT2);
    for (const step of this.steps) {
      if (step.layer.size) this.#convolve(step, from, to, n);
      else this.#multiply(step, from, to, n);
      this.#finish(step.layer, to.subarray(0, n * step.results));
      [from, to] = [to, from];
    }
    const images = from.subarray(0, n * this.size);
    const { kind, gain } = output;
    if (kind === "logistic") for (let i = 0; i < images.length; i++) images[i] = 1 / (1 + Math.exp(-gain * images[i]));
    else for (let i = 0; i < images.length; i++) images[i] = Math.min(Math.max(images[i], 0), 1);
    return images;
  }

  /** A dense layer: its bias is added in the product. */
  #multiply({ layer, columns, weights, bias }, from, to, n) {
    const { products } = this;
    const { inputs, outputs } = layer;
    this.arena.multiply(from.byteOffset, weights.byteOffset, products.byteOffset, bias.byteOffset, roundUp(n, ROWS), inputs, columns);
    for (let row = 0; row < n; row++) to.set(products.subarray(row * columns, row * columns + outputs), row * outputs);
  }

  /**
   * A transposed convolution: what each pixel gives is added where its kernel lies, and the border
   * cropped. Image by image, so that the products stay in a processor's cache.
   */
  #convolve({ layer, pixels, columns, weights, bias }, from, to, n) {
    const { arena, products, zeros } = this;
    const { height, width, inputs, outputs, size, stride } = layer;
    const { tall, wide, before } = sidesOf(layer);
    const sums = this.sums.subarray(0, tall * wide * outputs);
    const run = size * outputs; // what a pixel gives to one row
    const length = width * stride * outputs;
    for (let image = 0; image < n; image++) {
      const first = from.byteOffset + 4 * image * pixels * inputs;
      arena.multiply(first, weights.byteOffset, products.byteOffset, zeros.byteOffset, roundUp(pixels, ROWS), inputs, columns);
      sums.fill(0);
      for (let y = 0; y < height; y++) {
        for (let i = 0; i < size; i++) {
          this.#accumulate((y * stride + i) * wide * outputs, y * width * columns + i * run, run, width, stride * outputs, columns);
        }
      }
      for (let y = 0; y < height * stride; y++) {
        const row = to.byteOffset + 4 * (image * height * stride + y) * length;
        arena.shift(row, sums.byteOffset + 4 * ((y + before) * wide + before) * outputs, bias.byteOffset, roundUp(length, 4));
      }
    }
  }

  #accumulate(to, from, count, times, stepTo, stepFrom) {
    const { sums, products } = this;
    if (count % 4 === 0) {
      this.arena.accumulate(sums.byteOffset + 4 * to, products.byteOffset + 4 * from, count, times, 4 * stepTo, 4 * stepFrom);
      return;
    }
    for (let run = 0; run < times; run++, to += stepTo, from += stepFrom) {
      for (let i = 0; i < count; i++) sums[to + i] += products[from + i];
    }
  }

  #finish({ activation, slope, scale, shift }, values) {
    if (activation === "relu" && slope === 0) this.arena.rectify(values.byteOffset, this.zeros.byteOffset, roundUp(values.length, 4));
    else if (activation === "relu") for (let i = 0; i < values.length; i++) values[i] = Math.max(values[i], 0) + slope * Math.min(values[i], 0);
    else if (activation === "tanh") for (let i = 0; i < values.length; i++) values[i] = Math.tanh(values[i]);
    if (scale) for (let i = 0; i < values.length; i++) values[i] = values[i] * scale[i % scale.length] + shift[i % scale.length];
  }
}

/** Kernels as the product takes them: panels of COLUMNS columns, whose rows are the inputs. */
function pack({ inputs, outputs, size, kernel }, columns, weights) {
  const real = outputs * (size ?? 1) ** 2;
  for (let column = 0; column < real; column++) {
    const start = (column - (column % COLUMNS)) * inputs + (column % COLUMNS);
    for (let row = 0; row < inputs; row++) {
      weights[start + row * COLUMNS] = kernel[size ? column * inputs + row : row * outputs + column];
    }
  }
  return weights;
}

/** What is added to a dense layer's products, or to a row of a convolution's sums. */
function biasOf({ size, width, stride, bias }, to) {
  const length = size ? width * stride * bias.length : bias.length;
  for (let i = 0; i < length; i++) to[i] = bias[i % bias.length];
  return to;
}

/** The error function, to 1.2e-7 of what remains to 1 (Press et al. 1992, Numerical Recipes, erfc). */
function erf(x) {
  const t = 1 / (1 + 0.5 * Math.abs(x));
  const terms = [0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196, 1.00002368, -1.26551223];
  const rest = t * Math.exp(-x * x + terms.reduce((sum, term) => sum * t + term, 0));
  return x < 0 ? rest - 1 : 1 - rest;
}
