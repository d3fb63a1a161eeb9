// The metrics of the basis that is shown, and their curve along the slider.

import { $, element, number, state } from "./state.js";
import { PLACES } from "./judge.js";

const heading = (metric) => metric.title[0].toUpperCase() + metric.title.slice(1);
let meters = {};

export function buildMetrics() {
  meters = {};
  $("metrics").replaceChildren(...state.scene.metrics.map((metric) => {
    const highest = Math.max(metric.draws.at(-1), ...metric.path, 1e-9);
    const lowest = Math.min(0, metric.draws[0], ...metric.path);
    const at = (value) => `${(100 * (value - lowest)) / (highest - lowest)}%`;
    const button = element("button", "metric");
    button.type = "button";
    const title = element("b", "", `${heading(metric)} `);
    if (metric.sign < 0) title.append(element("small", "", "lower is better"));
    const value = element("output");
    const scale = element("span", "scale");
    const band = element("i", "band"), learned = element("i", "mark learned"), now = element("i", "mark now");
    band.style.left = at(metric.random.low);
    band.style.width = `calc(${at(metric.random.high)} - ${at(metric.random.low)})`;
    learned.style.left = at(metric.path[0]);
    scale.append(band, learned, now);
    button.append(title, value, scale);
    button.addEventListener("click", () => {
      state.metric = metric.name;
      drawCurve();
      drawNow(state.place / PLACES);
      showMetrics();
    });
    meters[metric.name] = { button, value, now, at };
    return button;
  }));
  $("side").querySelector("h2").hidden = state.scene.metrics.length === 0;
}

export function showMetrics() {
  for (const metric of state.scene.metrics) {
    const { button, value, now, at } = meters[metric.name];
    const current = state.frame?.metrics[metric.name];
    button.setAttribute("aria-pressed", metric.name === state.metric);
    if (current === undefined) continue;
    value.textContent = number(current);
    now.style.left = at(current);
    if (metric.name !== state.metric) continue;
    if (plotted) $("dot-now").style.bottom = `${100 - plotted.y(current)}%`; // between the curve's points
    const better = metric.draws.filter((draw) => metric.sign * draw >= metric.sign * current - 1e-9).length;
    $("plot-note").textContent = `${number(current)} · reached by ${better} of ${metric.draws.length} random bases`;
  }
}

let plotted = null;

export function drawCurve() {
  const metric = state.scene.metrics.find(({ name }) => name === state.metric);
  $("plot").hidden = $("plot-head").hidden = !metric;
  plotted = metric ?? null;
  if (!metric) return;
  const top = 1.08 * Math.max(metric.random.high, ...metric.path, 1e-9);
  const bottom = Math.min(0, metric.random.low, ...metric.path);
  const y = (value) => 100 - (100 * (value - bottom)) / (top - bottom);
  plotted = { metric, y };
  $("curve").setAttribute("points", metric.path.map((value, i) => `${100 * state.scene.times[i]},${y(value)}`).join(" "));
  $("band").setAttribute("y", y(metric.random.high));
  $("band").setAttribute("height", y(metric.random.low) - y(metric.random.high));
  for (const end of ["y1", "y2"]) $("median").setAttribute(end, y(metric.random.median));
  $("band-label").style.top = `${y(metric.random.high) - 9}%`;
  $("dot-learned").style.bottom = `${100 - y(metric.path[0])}%`;
  $("plot-title").textContent = heading(metric) + (metric.sign < 0 ? " (lower is better)" : "");
  $("plot-top").textContent = number(top);
  $("plot-bottom").textContent = number(bottom).replace(/\.000$/, "0");
}

export function drawNow(time) {
  if (!plotted) return;
  const { metric, y } = plotted;
  const at = time * (metric.path.length - 1);
  const low = Math.min(Math.floor(at), metric.path.length - 2);
  const value = metric.path[low] + (metric.path[low + 1] - metric.path[low]) * (at - low);
  $("dot-now").style.left = `${100 * time}%`;
  $("dot-now").style.bottom = `${100 - y(value)}%`;
}
