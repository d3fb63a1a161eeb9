// Sums and products of arrays in vector instructions, which a browser has only through WebAssembly.
// The module is so small that it is written out here, instruction by instruction. The same in plain
// JavaScript, a tenth as fast, is for browsers without such instructions (from before 2023), and for
// tests.

const ROWS = 4; // of a block of the product, whose sums stay in registers
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
const number = (value) => [0x41, ...signed(value)];
const ADD = 0x6a, SUBTRACT = 0x6b, MULTIPLY = 0x6c;
const vector = (code, offset) => [0xfd, ...unsigned(code), ...(offset === undefined ? [] : [2, ...unsigned(offset)])];
const load = (offset) => vector(0x00, offset);
const splat = (offset) => vector(0x09, offset); // one number in all four lanes
const store = (offset) => vector(0x0b, offset);
const PLUS = vector(0xe4), TIMES = vector(0xe6), MAX = vector(0xe9);
const FUSED = vector(0x105); // a b + c, rounded once: of some browsers
const advance = (local, bytes) => [...get(local), ...number(bytes), ADD, ...set(local)];

/** A loop that a counter ends, which goes down to 0 in steps; it runs once at least. */
const countdown = (counter, step, ...body) => [
  0x03, 0x40, ...body.flat(), ...get(counter), ...number(step), SUBTRACT, 0x22, ...unsigned(counter), 0x0d, 0, 0x0b,
];

/** A function without result: its arguments and other locals, all addresses and counts in bytes. */
function define(numArguments, numOthers, numVectors, ...body) {
  const code = [...(numOthers ? [2, ...unsigned(numOthers), 0x7f] : [1]), ...unsigned(numVectors), 0x7b, ...body.flat(), 0x0b];
  return { type: [0x60, numArguments, ...Array(numArguments).fill(0x7f), 0], code: [...unsigned(code.length), ...code] };
}

// ------------------------------------------------------------------------------------- the functions

/** multiply(a, b, c, bias, rows, depth, columns): c = a b + bias, b in panels of COLUMNS. */
function multiplication(fused) {
  const [a, b, c, bias, rows, depth, columns, row, k, place, to, line, stride, from] = Array(14).keys();
  const at = (r) => 14 + r; // the address within row r
  const vectors = 14 + ROWS;
  const sum = (r, half) => vectors + 2 * r + half;
  const halves = [vectors + 2 * ROWS, vectors + 2 * ROWS + 1];
  const factor = vectors + 2 * ROWS + 2;
  const each = (make) => Array.from({ length: ROWS }, (_, r) => make(r)).flat();
  return define(7, 7 + ROWS, 2 * ROWS + 3,
    get(depth), number(4), MULTIPLY, set(line),
    get(columns), number(4), MULTIPLY, set(stride),
    countdown(columns, COLUMNS,
      get(a), set(from), get(c), set(to), get(rows), set(row),
      countdown(row, ROWS,
        each((r) => [
          ...[0, 1].flatMap((half) => [...get(bias), ...load(16 * half), ...set(sum(r, half))]),
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
      get(place), set(b), advance(bias, 4 * COLUMNS), advance(c, 4 * COLUMNS)));
}

/**
 * accumulate(to, from, count, times, stepTo, stepFrom): to += from for so many runs of count numbers,
 * a multiple of 4, whose beginnings lie steps apart.
 */
function accumulation() {
  const [to, from, count, times, stepTo, stepFrom, left, at, source] = Array(9).keys();
  return define(6, 3, 0, countdown(times, 1,
    get(to), set(at), get(from), set(source), get(count), set(left),
    countdown(left, 4,
      get(at), get(at), load(0), get(source), load(0), PLUS, store(0), advance(at, 16), advance(source, 16)),
    get(to), get(stepTo), ADD, set(to), get(from), get(stepFrom), ADD, set(from)));
}

/** shift(to, from, by, count): to = from + by; the count is a multiple of 4. */
function shifting() {
  const [to, from, by, count] = Array(4).keys();
  return define(4, 0, 0, countdown(count, 4,
    get(to), get(from), load(0), get(by), load(0), PLUS, store(0),
    advance(to, 16), advance(from, 16), advance(by, 16)));
}

/** rectify(at, zeros, count): numbers below 0 become 0; the count is a multiple of 4. */
function rectification() {
  const [at, zeros, count] = Array(3).keys();
  return define(3, 0, 1, get(zeros), load(0), set(3), countdown(count, 4,
    get(at), get(at), load(0), get(3), MAX, store(0), advance(at, 16)));
}

function moduleBytes(fused) {
  const text = (word) => [word.length, ...[...word].map((letter) => letter.charCodeAt(0))];
  const section = (id, ...items) => {
    const content = [...unsigned(items.length), ...items.flat()];
    return [id, ...unsigned(content.length), ...content];
  };
  const made = { multiply: multiplication(fused), accumulate: accumulation(), shift: shifting(), rectify: rectification() };
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
    multiply(a, b, c, bias, rows, depth, columns) {
      [a, b, c, bias] = [a / 4, b / 4, c / 4, bias / 4];
      for (let first = 0; first < columns; first += COLUMNS, b += depth * COLUMNS) {
        for (let row = 0; row < rows; row++) {
          const to = c + row * columns + first;
          for (let j = 0; j < COLUMNS; j += 4) {
            let s0 = f[bias + first + j], s1 = f[bias + first + j + 1], s2 = f[bias + first + j + 2], s3 = f[bias + first + j + 3];
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
    shift(to, from, by, count) {
      for (let i = 0; i < count; i++) f[to / 4 + i] = f[from / 4 + i] + f[by / 4 + i];
    },
    rectify(at, zeros, count) {
      for (let i = 0; i < count; i++) f[at / 4 + i] = Math.max(f[at / 4 + i], 0);
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
    this.used += roundUp(count, 4);
    return this.numbers.subarray(first, first + count);
  }
}

export const roundUp = (value, multiple) => multiple * Math.ceil(value / multiple);
export { ROWS };
