// Bases: rotations at random, and the shortest paths to them. A matrix [k, k] is a flat array, row
// by row; the columns of a basis are its axes.

const SMALLEST = 1e-7; // sine of an angle that is told from 0; rotations come in float32

/** Uniform on [0, 1), of the browser's own randomness. */
export function uniform() {
  return crypto.getRandomValues(new Uint32Array(1))[0] / 2 ** 32;
}

/** A whole number from 0 to count - 1. */
export const below = (count) => Math.floor(uniform() * count);

function normal() { // Box & Muller 1958
  return Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

/** A draw from the Haar distribution on O(k): the columns of a Gaussian matrix, made orthonormal. */
export function haar(k) {
  const basis = new Float64Array(k * k);
  for (let j = 0; j < k; j++) {
    const column = Float64Array.from({ length: k }, normal);
    for (let pass = 0; pass < 2; pass++) { // twice is enough for rounding (Giraud et al. 2005)
      for (let i = 0; i < j; i++) {
        let along = 0;
        for (let row = 0; row < k; row++) along += column[row] * basis[row * k + i];
        for (let row = 0; row < k; row++) column[row] -= along * basis[row * k + i];
      }
    }
    const norm = Math.hypot(...column);
    for (let row = 0; row < k; row++) basis[row * k + j] = column[row] / norm;
  }
  return basis;
}

/** A permutation of 0 to count - 1, all alike likely (Fisher & Yates). */
export function permutation(count) {
  const order = [...Array(count).keys()];
  for (let i = count - 1; i > 0; i--) {
    const j = below(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/** The sign of a matrix' determinant, by elimination. */
function signOfDeterminant(matrix, k) {
  const m = Float64Array.from(matrix);
  let sign = 1;
  for (let column = 0; column < k; column++) {
    let pivot = column;
    for (let row = column + 1; row < k; row++) if (Math.abs(m[row * k + column]) > Math.abs(m[pivot * k + column])) pivot = row;
    if (pivot !== column) {
      sign = -sign;
      for (let j = 0; j < k; j++) [m[pivot * k + j], m[column * k + j]] = [m[column * k + j], m[pivot * k + j]];
    }
    sign *= Math.sign(m[column * k + column]);
    for (let row = column + 1; row < k; row++) {
      const factor = m[row * k + column] / m[column * k + column];
      for (let j = column; j < k; j++) m[row * k + j] -= factor * m[column * k + j];
    }
  }
  return sign;
}

/** Eigenvectors of a symmetric matrix, as rows [k, k]: Jacobi's rotations. */
function eigenvectors(matrix, k) {
  const s = Float64Array.from(matrix);
  const v = new Float64Array(k * k);
  for (let i = 0; i < k; i++) v[i * k + i] = 1;
  const turn = (m, a, stepA, b, stepB, cos, sin) => {
    for (let i = 0; i < k; i++) {
      const [x, y] = [m[a + i * stepA], m[b + i * stepB]];
      m[a + i * stepA] = cos * x - sin * y;
      m[b + i * stepB] = sin * x + cos * y;
    }
  };
  for (let sweep = 0; sweep < 50; sweep++) {
    let rest = 0;
    for (let p = 0; p < k; p++) {
      for (let q = p + 1; q < k; q++) {
        const off = s[p * k + q];
        rest += off * off;
        if (Math.abs(off) < 1e-16) continue;
        const theta = (s[q * k + q] - s[p * k + p]) / (2 * off);
        const tangent = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
        const cos = 1 / Math.hypot(tangent, 1), sin = tangent * cos;
        turn(s, p, k, q, k, cos, sin);
        turn(s, p * k, 1, q * k, 1, cos, sin);
        turn(v, p * k, 1, q * k, 1, cos, sin);
      }
    }
    if (rest < 1e-28) break;
  }
  return v;
}

/**
 * The shortest path from the identity to a rotation Q, as planes and the angles by which they turn.
 *
 * The eigenspaces of Q's symmetric part are its planes; its other part turns a vector of a plane
 * into the plane's second one. A matrix of determinant -1, to which no path leads, has its last
 * column flipped first.
 *
 * Returns: time to the basis Q^time.
 */
export function geodesic(rotation, k) {
  const q = Float64Array.from(rotation);
  if (signOfDeterminant(q, k) < 0) for (let row = 0; row < k; row++) q[row * k + k - 1] *= -1;
  const part = (sign) => q.map((value, at) => (value + sign * q[(at % k) * k + Math.floor(at / k)]) / 2);
  const symmetric = part(1), skew = part(-1);
  const times = (m, v) => Float64Array.from({ length: k }, (_, row) => v.reduce((sum, value, j) => sum + m[row * k + j] * value, 0));
  const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
  const vectors = eigenvectors(symmetric, k);
  const planes = [];
  for (let i = 0; i < k; i++) {
    const v = vectors.slice(i * k, (i + 1) * k);
    for (const plane of planes) {
      for (const other of [plane.v, plane.w]) {
        const along = dot(v, other);
        for (let j = 0; j < k; j++) v[j] -= along * other[j];
      }
    }
    const norm = Math.hypot(...v);
    if (norm < 0.5) continue; // in a plane that is known
    for (let j = 0; j < k; j++) v[j] /= norm;
    const turned = times(skew, v);
    const sine = Math.hypot(...turned);
    if (sine < SMALLEST) continue; // stays where it is
    planes.push({ v, w: turned.map((value) => value / sine), angle: Math.atan2(sine, dot(v, times(symmetric, v))) });
  }
  return (time) => {
    const basis = new Float64Array(k * k);
    for (let i = 0; i < k; i++) basis[i * k + i] = 1;
    for (const { v, w, angle } of planes) {
      const less = Math.cos(time * angle) - 1, sin = Math.sin(time * angle);
      for (let i = 0; i < k; i++) {
        for (let j = 0; j < k; j++) basis[i * k + j] += less * (v[i] * v[j] + w[i] * w[j]) + sin * (w[i] * v[j] - v[i] * w[j]);
      }
    }
    return basis;
  };
}
