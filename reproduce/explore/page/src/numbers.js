// Arrays of numbers within text: base64 of little-endian float16 or float32.

/** All numbers that half precision (IEEE 754) has. */
let halves = null;
function halfTable() {
  return Float32Array.from({ length: 65536 }, (_, bits) => {
    const exponent = (bits >> 10) & 31, fraction = bits & 1023;
    const size = exponent === 31 ? (fraction ? NaN : Infinity) : exponent ? 2 ** (exponent - 25) * (1024 + fraction) : 2 ** -24 * fraction;
    return bits >> 15 ? -size : size;
  });
}

/** A Float32Array of {half: text} or {single: text}. */
export function unpackNumbers({ half, single }) {
  const text = atob(half ?? single);
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  if (single !== undefined) return new Float32Array(bytes.buffer);
  halves ??= halfTable();
  return Float32Array.from(new Uint16Array(bytes.buffer), (bits) => halves[bits]);
}
