// Sums and products of arrays in vector instructions, which a browser has only through WebAssembly.
// The module is so small that it is written out here, instruction by instruction. The same in plain
// JavaScript, a tenth as fast, is for browsers without such instructions (from before 2023), and for
// tests.

export const ROWS = 4; // of a block of the product, whose sums stay in registers
export const COLUMNS = 8;

// ------------------------------------------------------------------------------ instructions in bytes

/** A number as WebAssembly writes it (LEB128): unsigned, and signed. */
function unsigned(value) {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}
function signed(value) {
  if (value >= -0x40 && value < 0x40) return [value & 0x7f];
  return [(value & 0x7f) | 0x80, ...signed(value >> 7)];
}

const get = (local) => [0x20, ...unsigned(local)];
const set = (local) => [0x21, ...unsigned(local)];
const keep = (local) => [0x22, ...unsigned(local)]; // set it, and go on with the value
const number = (value) => [0x41, ...signed(value)];
const ADD = 0x6a, SUBTRACT = 0x6b, MULTIPLY = 0x6c;
const vector = (code, offset) => [0xfd, ...unsigned(code), ...(offset === undefined ? [] : [2, ...unsigned(offset)])];
const load = (offset) => vector(0x00, offset);
const splat = (offset) => vector(0x09, offset); // one number in all four lanes
const store = (offset) => vector(0x0b, offset);
const PLUS = vector(0xe4), MINUS = vector(0xe5), TIMES = vector(0xe6), OVER = vector(0xe7), MIN = vector(0xe8), MAX = vector(0xe9);
const SHIFT_LEFT = vector(0xab), ADD_INTEGERS = vector(0xae);
const TRUNCATE = vector(0xf8), TO_16_BITS = vector(0x86), TO_8_BITS = vector(0x66); // of four vectors one in the end
const FUSED = vector(0x105); // a b + c, rounded once: of some browsers
const constant = (value) => [0x43, ...new Uint8Array(Float32Array.of(value).buffer), ...vector(0x13)];
const advance = (local, bytes) => [...get(local), ...number(bytes), ADD, ...set(local)];

/** A loop that a counter ends, which goes down to 0 in steps. */
const countdown = (counter, step, ...body) => [
  ...get(counter), 0x04, 0x40, 0x03, 0x40,
  ...body.flat(), ...get(counter), ...number(step), SUBTRACT, ...keep(counter), 0x0d, 0, 0x0b, 0x0b,
];

/** A function without result: its arguments and other locals, all addresses and counts. */
function define(numArguments, numOthers, numVectors, ...body) {
  const code = [...(numOthers ? [2, ...unsigned(numOthers), 0x7f] : [1]), ...unsigned(numVectors), 0x7b, ...body.flat(), 0x0b];
  return { type: [0x60, numArguments, ...Array(numArguments).fill(0x7f), 0], code: [...unsigned(code.length), ...code] };
}

// ------------------------------------------------------------------------------------- the functions

/** multiply(a, b, c, rows, depth, columns): c = a b, b in panels of COLUMNS. */
function multiplication(fused) {
  const [a, b, c, rows, depth, columns, row, k, place, to, line, stride, from] = Array(13).keys();
  const at = (r) => 13 + r; // the address within row r
  const vectors = 13 + ROWS;
  const sum = (r, half) => vectors + 2 * r + half;
  const halves = [vectors + 2 * ROWS, vectors + 2 * ROWS + 1];
  const factor = vectors + 2 * ROWS + 2;
  const each = (make) => Array.from({ length: ROWS }, (_, r) => make(r)).flat();
  return define(6, 7 + ROWS, 2 * ROWS + 3,
    get(depth), number(4), MULTIPLY, set(line),
    get(columns), number(4), MULTIPLY, set(stride),
    countdown(columns, COLUMNS,
      get(a), set(from), get(c), set(to), get(rows), set(row),
      countdown(row, ROWS,
        each((r) => [
          ...[0, 1].flatMap((half) => [...constant(0), ...set(sum(r, half))]),
          ...(r === 0 ? get(from) : [...get(at(r - 1)), ...get(line), ADD]), ...set(at(r)),
        ]),
        get(b), set(place), get(depth), set(k),
        countdown(k, 1,
          halves.flatMap((half, h) => [...get(place), ...load(16 * h), ...set(half)]),
          each((r) => [
            ...get(at(r)), ...splat(0), ...set(factor), ...advance(at(r), 4),
            ...halves.flatMap((half, h) => fused
              ? [...get(factor), ...get(half), ...get(sum(r, h)), ...FUSED, ...set(sum(r, h))]
              : [...get(sum(r, h)), ...get(factor), ...get(half), ...TIMES, ...PLUS, ...set(sum(r, h))]),
          ]),
          advance(place, 4 * COLUMNS)),
        each((r) => [
          ...[0, 1].flatMap((half) => [...get(to), ...get(sum(r, half)), ...store(16 * half)]),
          ...get(to), ...get(stride), ADD, ...set(to),
        ]),
        get(at(ROWS - 1)), set(from)), // which has come to its end, where the next row begins
      get(place), set(b), advance(c, 4 * COLUMNS)));
}

/**
 * accumulate(to, from, count, times, stepTo, stepFrom): to += from for so many runs of count numbers,
 * a multiple of 4, whose beginnings lie steps apart, in bytes.
 */
function accumulation() {
  const [to, from, count, times, stepTo, stepFrom, left, at, source] = Array(9).keys();
  return define(6, 3, 0, countdown(times, 1,
    get(to), set(at), get(from), set(source), get(count), set(left),
    countdown(left, 4,
      get(at), get(at), load(0), get(source), load(0), PLUS, store(0), advance(at, 16), advance(source, 16)),
    get(to), get(stepTo), ADD, set(to), get(from), get(stepFrom), ADD, set(from)));
}

/**
 * activate(to, from, bias, slope, count): to = from + bias, times the slope where that is below 0.
 * The slope is a vector of equal numbers, not above 1; the count is a multiple of 4.
 */
function activation() {
  const [to, from, bias, slope, count, sum, by] = Array(7).keys();
  return define(5, 0, 2, get(slope), load(0), set(by), countdown(count, 4,
    get(to), get(from), load(0), get(bias), load(0), PLUS, keep(sum), get(sum), get(by), TIMES, MAX, store(0),
    advance(to, 16), advance(from, 16), advance(bias, 16)));
}

/**
 * logistic(at, by, count): x becomes by[1] / (1 + 2^(by[0] x)) + by[2], of vectors of equal numbers.
 * The power is that of the nearest whole exponent times Taylor's series for the rest (a relative
 * error of 1e-7). The count is a multiple of 4.
 */
function sigmoid() {
  const [at, by, count, x, shifted, power, low, high, shift, first] = Array(10).keys();
  const terms = [1];
  for (let k = 1; k <= 6; k++) terms.push((terms[k - 1] * Math.LN2) / k);
  const term = (k) => first + k;
  return define(3, 0, 6 + terms.length,
    constant(-125), set(low), constant(125), set(high), terms.map((value, k) => [...constant(value), ...set(term(k))]).flat(),
    constant(1.5 * 2 ** 23), set(shift), // of numbers so large nothing is left behind the point
    countdown(count, 4,
      get(at), load(0), get(by), load(0), TIMES, get(low), MAX, get(high), MIN, keep(x),
      get(shift), PLUS, set(shifted), get(x), get(shifted), get(shift), MINUS, MINUS, set(x), get(term(6)),
      [5, 4, 3, 2, 1, 0].map((k) => [...get(x), ...TIMES, ...get(term(k)), ...PLUS]).flat(), set(power),
      get(at), get(by), load(16),
      get(power), get(shifted), number(23), SHIFT_LEFT, ADD_INTEGERS, get(term(0)), PLUS, // to the power's exponent
      OVER, get(by), load(32), PLUS, store(0), advance(at, 16)));
}

/** distance(to, a, b, count): four sums whose sum is that of (a - b)^2; the count is a multiple of 4. */
function distances() {
  const [to, a, b, count, sum, gap] = Array(6).keys();
  return define(4, 0, 2,
    countdown(count, 4,
      get(a), load(0), get(b), load(0), MINUS, keep(gap), get(gap), TIMES, get(sum), PLUS, set(sum),
      advance(a, 16), advance(b, 16)),
    get(to), get(sum), store(0));
}

/** quantise(to, from, count): numbers from 0 to 1 as bytes from 0 to 255; the count is a multiple of 16. */
function quantisation() {
  const [to, from, count, full, half] = Array(5).keys();
  const whole = (i) => [...get(from), ...load(16 * i), ...get(full), ...TIMES, ...get(half), ...PLUS, ...TRUNCATE];
  return define(3, 0, 2, constant(255), set(full), constant(0.5), set(half), countdown(count, 16,
    get(to), whole(0), whole(1), TO_16_BITS, whole(2), whole(3), TO_16_BITS, TO_8_BITS, store(0),
    advance(to, 16), advance(from, 64)));
}

function moduleBytes(fused) {
  const text = (word) => [word.length, ...[...word].map((letter) => letter.charCodeAt(0))];
  const section = (id, ...items) => {
    const content = [...unsigned(items.length), ...items.flat()];
    return [id, ...unsigned(content.length), ...content];
  };
  const made = {
    multiply: multiplication(fused), accumulate: accumulation(), activate: activation(), logistic: sigmoid(), distance: distances(),
    quantise: quantisation(),
  };
  const all = Object.values(made);
  return new Uint8Array([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, ...all.map(({ type }) => type)),
    ...section(2, [...text("page"), ...text("memory"), 2, 0, 1]),
    ...section(3, ...all.map((_, i) => [i])),
    ...section(7, ...Object.keys(made).map((name, i) => [...text(name), 0, i])),
    ...section(10, ...all.map(({ code }) => code)),
  ]);
}

// ---------------------------------------------------------------------------------------- for callers

/** The same functions on an array of numbers, in plain JavaScript. */
function plain(memory) {
  const f = new Float32Array(memory.buffer);
  return {
    multiply(a, b, c, rows, depth, columns) {
      [a, b, c] = [a / 4, b / 4, c / 4];
      for (let first = 0; first < columns; first += COLUMNS, b += depth * COLUMNS) {
        for (let row = 0; row < rows; row++) {
          const to = c + row * columns + first;
          for (let j = 0; j < COLUMNS; j += 4) {
            let s0 = 0, s1 = 0, s2 = 0, s3 = 0;
            for (let k = 0, from = a + row * depth, at = b + j; k < depth; k++, at += COLUMNS) {
              const factor = f[from + k];
              s0 += factor * f[at];
              s1 += factor * f[at + 1];
              s2 += factor * f[at + 2];
              s3 += factor * f[at + 3];
            }
            f[to + j] = s0;
            f[to + j + 1] = s1;
            f[to + j + 2] = s2;
            f[to + j + 3] = s3;
          }
        }
      }
    },
    accumulate(to, from, count, times, stepTo, stepFrom) {
      for (let run = 0; run < times; run++, to += stepTo, from += stepFrom) {
        for (let i = 0; i < count; i++) f[to / 4 + i] += f[from / 4 + i];
      }
    },
    activate(to, from, bias, slope, count) {
      for (let i = 0; i < count; i++) {
        const sum = f[from / 4 + i] + f[bias / 4 + i];
        f[to / 4 + i] = Math.max(sum, sum * f[slope / 4]);
      }
    },
    logistic(at, by, count) {
      const [exponent, scale, shift] = [f[by / 4], f[by / 4 + 4], f[by / 4 + 8]];
      for (let i = at / 4; i < at / 4 + count; i++) f[i] = scale / (1 + 2 ** (exponent * f[i])) + shift;
    },
    distance(to, a, b, count) {
      let sum = 0;
      for (let i = 0; i < count; i++) sum += (f[a / 4 + i] - f[b / 4 + i]) ** 2;
      f.set([sum, 0, 0, 0], to / 4);
    },
    quantise(to, from, count) {
      const bytes = new Uint8Array(memory.buffer);
      for (let i = 0; i < count; i++) bytes[to + i] = 255 * f[from / 4 + i] + 0.5;
    },
  };
}

/** Memory in which arrays are laid one behind the other, and the functions on it. */
export class Arena {
  constructor(numNumbers, vectors = true) {
    const pages = Math.ceil((4 * numNumbers) / 65536);
    this.memory = new WebAssembly.Memory({ initial: pages });
    this.numbers = new Float32Array(this.memory.buffer);
    this.used = 0;
    const bytes = vectors && [moduleBytes(true), moduleBytes(false)].find((one) => WebAssembly.validate(one));
    this.hasVectors = Boolean(bytes);
    const functions = bytes
      ? new WebAssembly.Instance(new WebAssembly.Module(bytes), { page: { memory: this.memory } }).exports
      : plain(this.memory);
    Object.assign(this, functions);
  }

  /** Room for so many numbers: a view of them, whose byteOffset is their address. */
  reserve(count) {
    const first = this.used;
    this.used += Arena.room(count);
    return this.numbers.subarray(first, first + count);
  }

  /** A vector, or several, of equal numbers. */
  vectors(...values) {
    const made = this.reserve(4 * values.length);
    values.forEach((value, i) => made.fill(value, 4 * i, 4 * i + 4));
    return made;
  }

  /** What an array takes: whatever goes through it by vectors may go beyond its end. */
  static room(count) {
    return roundUp(count, 4) + 4;
  }
}

export const roundUp = (value, multiple) => multiple * Math.ceil(value / multiple);
