// What the page shows, and the few things that all parts of it need.

export const AXIS_LETTERS = "ABCDEFGHIJKL";
export const state = { mode: "open", runs: [], run: 0, space: "", path: 0, image: 0, place: 0, metric: "", heat: "", scene: null, frame: null, blind: null, tally: [] };

export const $ = (id) => document.getElementById(id);

export function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

export function complain(error) {
  $("problem").textContent = error.message;
  $("problem").hidden = false;
}

export function number(value) {
  const size = Math.abs(value);
  if (size >= 10) return value.toPrecision(3);
  if (size < 5e-4 && size > 0) return value.toExponential(0);
  return value.toFixed(3).replace(/^(-?)0\./, "$1.");
}
