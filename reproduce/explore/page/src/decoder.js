// A decoder of dense layers and then transposed convolutions, computed here as models/layer_chain.py
// describes it.

import { Arena, COLUMNS, ROWS, roundUp } from "./kernels.js";

export const BATCH = 32; // inputs that go through the dense layers at once

const most = (numbers) => Math.max(0, ...numbers);

/** A layer, and the sizes of what it needs and gives. */
function measured(layer) {
  const { inputs, outputs, size, stride, height, width } = layer;
  if (!size) {
    const columns = roundUp(outputs, COLUMNS);
    return { ...layer, columns, products: BATCH * columns, biases: columns, results: outputs };
  }
  const columns = roundUp(outputs * size ** 2, COLUMNS); // what a pixel adds to all that its kernel sees
  const tall = height * stride + size - stride, wide = width * stride + size - stride;
  return {
    ...layer, columns,
    before: Math.floor((size - stride) / 2), // what SAME padding crops
    wide,
    products: roundUp(width, ROWS) * columns,
    sums: tall * wide * outputs,
    biases: width * stride * outputs,
    takes: height * width * inputs,
    results: height * width * stride ** 2 * outputs,
  };
}

export class Decoder {
  #dense;
  #convolutions;

  /**
   * chain: {inputs, uniform: [bool], layers: [{inputs, outputs, kernel, bias, activation, slope,
   * scale?, shift?, and of a convolution height, width, size, stride}], output: {kind, gain},
   * shape: [height, width, channels]}, with kernels [inputs, outputs] or [size, size, outputs,
   * inputs] as flat Float32Arrays.
   */
  constructor(chain, vectors = true) {
    this.chain = chain;
    this.size = chain.shape.reduce((a, b) => a * b);
    const layers = chain.layers.map(measured);
    const dense = layers.filter(({ size }) => !size), convolutions = layers.filter(({ size }) => size);
    const rows = BATCH * Math.max(chain.inputs, most(dense.map(({ results }) => results)));
    const map = Math.max(this.size, most(convolutions.flatMap(({ takes, results, inputs }) => [takes + ROWS * inputs, results])));
    const products = most(layers.map((layer) => layer.products)), sums = most(convolutions.map((layer) => layer.sums));
    const own = layers.flatMap(({ inputs, columns, biases }) => [inputs * columns, biases, 4]);
    const sizes = [...own, rows, rows, map, map, products, sums, this.size, this.size, 4, 12, 12];
    const arena = new Arena(sizes.reduce((sum, count) => sum + Arena.room(count), 0), vectors);
    this.arena = arena;
    const packed = (layer) => ({
      ...layer,
      weights: pack(layer, arena.reserve(layer.inputs * layer.columns)),
      bias: repeated(layer.bias, arena.reserve(layer.biases)),
      slope: arena.vectors(layer.activation === "relu" ? layer.slope : 1),
    });
    this.#dense = dense.map(packed);
    this.#convolutions = convolutions.map(packed);
    this.rows = [arena.reserve(rows), arena.reserve(rows)];
    this.maps = [arena.reserve(map), arena.reserve(map)];
    this.products = arena.reserve(products);
    this.sums = arena.reserve(sums);
    this.origin = arena.reserve(this.size);
    const { buffer, byteOffset } = arena.reserve(this.size);
    this.pixels = new Uint8Array(buffer, byteOffset, this.size);
    this.total = arena.reserve(4);
    this.tanh = arena.vectors(-2 * Math.LOG2E, 2, -1); // that is, 2 / (1 + exp(-2 x)) - 1
    this.logistic = arena.vectors(-chain.output.gain * Math.LOG2E, 1, 0);
  }

  /** Images in [0, 1] of points [n, inputs], both flat and float32. */
  decode(points) {
    const images = new Float32Array((points.length / this.chain.inputs) * this.size);
    this.each(points, (image, i) => images.set(image, i * this.size));
    return images;
  }

  /** Calls back with each image and its number; the image lasts until the next one is made. */
  each(points, use) {
    const { inputs } = this.chain;
    for (let first = 0; first < points.length / inputs; first += BATCH) {
      const batch = points.subarray(first * inputs, (first + BATCH) * inputs);
      const count = batch.length / inputs;
      const rows = this.#rows(batch, count);
      const width = rows.length / count;
      for (let i = 0; i < count; i++) use(this.#image(rows.subarray(i * width, (i + 1) * width)), first + i);
    }
  }

  /** Keeps an image, from which those after it are told apart. */
  keep(image) {
    this.origin.set(image);
  }

  /** The sum of an image's squared differences from the one that is kept. */
  change(image) {
    this.arena.distance(this.total.byteOffset, image.byteOffset, this.origin.byteOffset, this.size);
    return this.total[0] + this.total[1] + this.total[2] + this.total[3];
  }

  /** An image's bytes, which last until those of the next one. */
  bytes(image) {
    this.arena.quantise(this.pixels.byteOffset, image.byteOffset, roundUp(this.size, 16));
    return this.pixels;
  }

  /** What the dense layers make of points. */
  #rows(points, count) {
    const { uniform, inputs } = this.chain;
    let [from, to] = this.rows, width = inputs;
    from.set(points);
    if (uniform.some((is) => is)) for (let i = 0; i < points.length; i++) if (uniform[i % inputs]) from[i] = erf(points[i] / Math.SQRT2);
    for (const layer of this.#dense) {
      this.#multiply(layer, from, to, count);
      width = layer.outputs;
      this.#finish(layer, to.subarray(0, count * width));
      [from, to] = [to, from];
    }
    return from.subarray(0, count * width);
  }

  /** What the convolutions make of a row: an image. */
  #image(row) {
    let [from, to] = this.maps;
    from.set(row);
    for (const layer of this.#convolutions) {
      this.#convolve(layer, from, to);
      this.#finish(layer, to.subarray(0, layer.results));
      [from, to] = [to, from];
    }
    const image = from.subarray(0, this.size);
    if (this.chain.output.kind === "logistic") this.arena.logistic(image.byteOffset, this.logistic.byteOffset, roundUp(this.size, 4));
    else for (let i = 0; i < image.length; i++) image[i] = Math.min(Math.max(image[i], 0), 1);
    return image;
  }

  #multiply({ inputs, outputs, columns, weights, bias, slope }, from, to, count) {
    const { arena, products } = this;
    arena.multiply(from.byteOffset, weights.byteOffset, products.byteOffset, roundUp(count, ROWS), inputs, columns);
    for (let row = 0; row < count; row++) {
      const [at, source] = [to.byteOffset + 4 * row * outputs, products.byteOffset + 4 * row * columns];
      arena.activate(at, source, bias.byteOffset, slope.byteOffset, roundUp(outputs, 4));
    }
  }

  /**
   * A transposed convolution: what each pixel gives is added where its kernel lies, and the border
   * cropped. Row by row, so that the products stay in a processor's nearest cache.
   */
  #convolve(layer, from, to) {
    const { height, width, inputs, outputs, size, stride, columns, weights, bias, slope, before, wide } = layer;
    const { arena, products, sums } = this;
    sums.fill(0, 0, layer.sums);
    for (let y = 0; y < height; y++) {
      const row = from.byteOffset + 4 * y * width * inputs;
      arena.multiply(row, weights.byteOffset, products.byteOffset, roundUp(width, ROWS), inputs, columns);
      for (let i = 0; i < size; i++) this.#accumulate(layer, (y * stride + i) * wide * outputs, i * size * outputs);
    }
    const length = width * stride * outputs;
    for (let y = 0; y < height * stride; y++) {
      const source = sums.byteOffset + 4 * ((y + before) * wide + before) * outputs;
      arena.activate(to.byteOffset + 4 * y * length, source, bias.byteOffset, slope.byteOffset, roundUp(length, 4));
    }
  }

  /** Adds what a row of pixels gives to a row of sums. */
  #accumulate({ width, outputs, size, stride, columns }, to, from) {
    const { sums, products } = this;
    const count = size * outputs, step = stride * outputs;
    if (count % 4 === 0) {
      // Pixels whose kernels do not meet, one after the other: a sum is not read while it is written.
      const apart = Math.ceil(size / stride);
      for (let x = 0; x < apart; x++) {
        const [at, source] = [sums.byteOffset + 4 * (to + x * step), products.byteOffset + 4 * (from + x * columns)];
        this.arena.accumulate(at, source, count, Math.ceil((width - x) / apart), 4 * apart * step, 4 * apart * columns);
      }
      return;
    }
    for (let x = 0; x < width; x++, to += step, from += columns) {
      for (let i = 0; i < count; i++) sums[to + i] += products[from + i];
    }
  }

  /** What of an activation is not made with the bias, and what a normalisation leaves behind it. */
  #finish({ activation, scale, shift }, values) {
    if (activation === "tanh") this.arena.logistic(values.byteOffset, this.tanh.byteOffset, roundUp(values.length, 4));
    if (scale) for (let i = 0; i < values.length; i++) values[i] = values[i] * scale[i % scale.length] + shift[i % scale.length];
  }
}

/** Kernels as the product takes them: panels of COLUMNS columns, whose rows are the inputs. */
function pack({ inputs, outputs, size, kernel }, weights) {
  const real = outputs * (size ?? 1) ** 2;
  for (let column = 0; column < real; column++) {
    const start = (column - (column % COLUMNS)) * inputs + (column % COLUMNS);
    for (let row = 0; row < inputs; row++) {
      weights[start + row * COLUMNS] = kernel[size ? column * inputs + row : row * outputs + column];
    }
  }
  return weights;
}

/** A bias for every pixel of a row. */
function repeated(bias, to) {
  for (let i = 0; i < to.length; i++) to[i] = bias[i % bias.length];
  return to;
}

/** The error function, to 1.2e-7 of what remains to 1 (Press et al. 1992, Numerical Recipes, erfc). */
function erf(x) {
  const t = 1 / (1 + 0.5 * Math.abs(x));
  const terms = [0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196, 1.00002368, -1.26551223];
  const rest = t * Math.exp(-x * x + terms.reduce((sum, term) => sum * t + term, 0));
  return x < 0 ? rest - 1 : 1 - rest;
}
