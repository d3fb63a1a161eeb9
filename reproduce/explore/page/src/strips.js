// Rows: an axis' strip, and what is known of the axis beside it.

import { $, element, state } from "./state.js";

// matplotlib's cividis, as the report's tables have it.
const CIVIDIS = ["00224e", "083370", "35456c", "4f576c", "666970", "7d7c78", "948e77", "aea371", "c8b866", "e5cf52", "fee838"];
const HEATS = {
  leakage: "What a small step along each axis changes in the image: the factors' shares, in per cent, as a predictor reads them; mean over starting images. A pure axis has one bright cell.",
  information: "What each axis of the encoder tells about each factor: mutual information, in per cent of the factor's entropy. MIG is the gap between the brightest two cells of a column.",
};

let rows = [];

export function buildRows(labels) {
  const axes = $("axes");
  document.documentElement.style.setProperty("--frame", labels.length <= 4 ? "92px" : labels.length <= 7 ? "72px" : "58px");
  rows = labels.map((label) => {
    const row = element("div", "row");
    const name = element("div", "label");
    const title = element("b", "", label);
    const turned = element("span"), step = element("span");
    name.append(title, turned, step);
    const canvas = element("canvas", "strip");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `Strip along ${label}`);
    const heat = element("div", "heat");
    row.append(name, canvas, heat);
    return { row, turned, step, canvas, heat, label, cells: [] };
  });
  axes.replaceChildren(...rows.map(({ row }) => row));
  $("rows").removeAttribute("aria-busy");
  $("caption").textContent = state.mode === "blind"
    ? "Every strip changes the image by the same amount; a faint one hardly changes anything."
    : "Every strip is stepped along until the image has changed by the same energy (mean squared pixel change), as reproduce.traverse does; ± is the step in prior standard deviations. Faint: dead, the image hardly changes within three.";
  if (state.mode === "blind") $("caption").append(element("span", "keys", " Arrow keys turn the axes, Enter says that the learned basis is here."));
}

export function buildHeat() {
  const { scene } = state;
  const factors = state.heat ? scene.factors : [];
  const many = factors.length > 6;
  const names = factors.map((name) => name.replaceAll("_", " "));
  $("rows").style.setProperty("--factors", Math.max(1, factors.length));
  $("rows").style.setProperty("--cells", many ? `repeat(${factors.length}, 1.9rem)` : names.map((name) => `max(2.9rem, ${0.44 * name.length + 0.4}rem)`).join(" "));
  $("rows").classList.toggle("many", many);
  $("heat-head").classList.toggle("many", many);
  $("heat-head").replaceChildren(...names.map((name) => element("span", "", name)));
  for (const row of rows) {
    row.cells = factors.map(() => element("span"));
    row.heat.replaceChildren(...row.cells);
  }
  $("heat-choice").hidden = !(scene.has_leakage && scene.has_information);
  for (const heat of ["leakage", "information"]) $(`heat-${heat}`).setAttribute("aria-pressed", heat === state.heat);
  const missing = scene.has_leakage ? "" : " For leakage, too, give --predictor_dir, a factor predictor's run.";
  $("heat-note").textContent = (HEATS[state.heat] ?? "") + missing;
}

function cividis(share) { // by its square root, so that small shares are told apart
  const at = Math.sqrt(Math.min(Math.max(share, 0), 1)) * (CIVIDIS.length - 1);
  const low = Math.min(Math.floor(at), CIVIDIS.length - 2);
  const mixed = [0, 2, 4].map((i) => {
    const [a, b] = [CIVIDIS[low], CIVIDIS[low + 1]].map((hex) => parseInt(hex.slice(i, i + 2), 16));
    return Math.round(a + (b - a) * (at - low));
  });
  return `rgb(${mixed})`;
}

function drawStrip(canvas, pixels, [count, height, width, channels]) {
  const gap = Math.max(1, Math.round(width / 32));
  const total = count * width + (count - 1) * gap;
  if (canvas.width !== total || canvas.height !== height) {
    canvas.width = total;
    canvas.height = height;
  }
  const context = canvas.getContext("2d");
  const image = context.createImageData(total, height);
  for (let f = 0, from = 0; f < count; f++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0, to = 4 * (y * total + f * (width + gap)); x < width; x++, from += channels, to += 4) {
        image.data[to] = pixels[from];
        image.data[to + 1] = pixels[from + (channels > 1 ? 1 : 0)];
        image.data[to + 2] = pixels[from + (channels > 1 ? 2 : 0)];
        image.data[to + 3] = 255;
      }
    }
  }
  context.putImageData(image, 0, 0);
}

/** Draws a frame's strips, and where the axes are if that may be known. */
export function drawRows(frame, place) {
  const [count, ...shape] = frame.shape;
  const size = shape.reduce((a, b) => a * b);
  rows.slice(0, count).forEach((row, i) => {
    drawStrip(row.canvas, frame.pixels.subarray(i * size, (i + 1) * size), shape);
    row.row.classList.toggle("dead", frame.dead[i]);
    if (state.mode === "blind") return;
    row.turned.textContent = place === 0 ? "as learned" : `turned ${Math.round(frame.angles[i])}°`;
    row.step.textContent = frame.dead[i] ? "dead" : `±${frame.steps[i].toFixed(2)}`;
  });
}

export function showHeat() {
  const table = state.frame?.[state.heat];
  if (!table) return;
  table.forEach((shares, i) => shares.forEach((share, j) => {
    const cell = rows[i].cells[j];
    const blank = state.heat === "leakage" && state.frame.dead[i];
    cell.style.background = blank ? "" : cividis(share);
    cell.style.color = share > 0.3 ? "#000" : "#fff";
    cell.textContent = !blank && share >= 0.095 ? Math.round(100 * share) : "";
    cell.title = `${state.scene.factors[j]} ${Math.round(100 * share)}%`;
  }));
}
