// The explorer's page. Where its frames come from, a server or this browser, is all the same to it;
// in the blind game the source alone knows the angle until the last guess.

import { begin, guess, memory } from "./game.js";
import { PLACES } from "./judge.js";
import { buildMetrics, drawCurve } from "./metrics.js";
import { ServedSource } from "./served.js";
import { foot, frames, moveTo, wish } from "./slider.js";
import { $, complain, state } from "./state.js";
import { StaticSource } from "./static.js";
import { buildHeat, buildRows, showHeat } from "./strips.js";

async function openScene() {
  const age = frames.drop();
  $("rows").setAttribute("aria-busy", "true");
  try {
    const { run, space, path } = state;
    const scene = await frames.source.scene({ run, space, path });
    if (age !== frames.age) return;
    $("problem").hidden = true;
    state.scene = scene;
    state.space = scene.space;
    state.image = Math.min(state.image, scene.images - 1);
    if (!scene.metrics.some((metric) => metric.name === state.metric)) state.metric = scene.metrics[0]?.name ?? "";
    const heats = ["leakage", "information"].filter((heat) => scene[`has_${heat}`]);
    if (!heats.includes(state.heat)) state.heat = heats[0] ?? "";
    fillChoices();
    enter(state.mode);
  } catch (error) {
    if (age === frames.age) complain(error);
  }
}

function fillChoices() {
  const { scene } = state;
  $("space").replaceChildren(...scene.spaces.map(({ name, summary }) => new Option(summary, name, false, name === scene.space)));
  $("image").textContent = state.image + 1;
  $("path").textContent = state.path + 1;
  $("path-back").disabled = state.path === 0;
  $("path-next").disabled = state.path + 1 === scene.num_paths;
  $("rounds").replaceChildren(...scene.blind_rounds.map((n) => new Option(n, n, false, n === 10)));
  $("begin").disabled = scene.blind_rounds.length === 0;
  $("blind-small").hidden = scene.blind_rounds.length > 0;
}

function enter(mode) {
  state.mode = mode;
  const blind = mode === "blind";
  document.body.classList.toggle("is-blind", blind);
  $("mode-open").setAttribute("aria-pressed", !blind);
  $("mode-blind").setAttribute("aria-pressed", blind);
  $("image-box").hidden = $("path-box").hidden = blind;
  $("result").hidden = true;
  $("here").hidden = !blind;
  state.blind = null;
  frames.drop();
  if (blind) {
    $("stage").hidden = true;
    $("choices").hidden = false;
    $("blind-intro").hidden = false;
    $("blind-seen").hidden = !memory.has();
    foot();
    return;
  }
  memory.put();
  $("choices").hidden = false;
  $("blind-intro").hidden = true;
  buildRows(state.scene.labels);
  buildHeat();
  buildMetrics();
  drawCurve();
  $("stage").hidden = false;
  $("slider").setAttribute("aria-label", "From the learned basis to a random one");
  moveTo(state.place);
}

function listen() {
  $("run").addEventListener("change", () => {
    Object.assign(state, { run: Number($("run").value), space: "", path: 0, place: 0 });
    openScene();
  });
  $("space").addEventListener("change", () => {
    Object.assign(state, { space: $("space").value, place: 0 });
    openScene();
  });
  const image = (step) => {
    state.image = (state.image + step + state.scene.images) % state.scene.images;
    $("image").textContent = state.image + 1;
    wish();
  };
  $("image-back").addEventListener("click", () => image(-1));
  $("image-next").addEventListener("click", () => image(1));
  const path = (step) => {
    state.path = Math.max(0, state.path + step);
    openScene();
  };
  $("path-back").addEventListener("click", () => path(-1));
  $("path-next").addEventListener("click", () => path(1));
  $("slider").addEventListener("input", () => moveTo(Number($("slider").value)));
  $("slider").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && state.mode === "blind") guess();
  });
  $("to-learned").addEventListener("click", () => moveTo(0));
  $("to-random").addEventListener("click", () => moveTo(PLACES));
  for (const heat of ["leakage", "information"]) {
    $(`heat-${heat}`).addEventListener("click", () => {
      state.heat = heat;
      buildHeat();
      showHeat();
    });
  }
  $("mode-open").addEventListener("click", () => { location.hash = ""; state.scene && enter("open"); });
  $("mode-blind").addEventListener("click", () => { location.hash = "blind"; state.scene && enter("blind"); });
  $("begin").addEventListener("click", begin);
  $("here").addEventListener("click", guess);
  $("again").addEventListener("click", () => enter("blind"));
  $("look").addEventListener("click", () => { location.hash = ""; enter("open"); });
}

async function start() {
  listen();
  if (location.hash === "#blind") state.mode = "blind"; // so that nothing is seen beforehand
  try {
    // An exported page names its runs; others are asked for.
    const exported = JSON.parse($("exported").textContent);
    frames.source = exported ? new StaticSource(exported) : new ServedSource();
    state.runs = await frames.source.runs();
    $("run").replaceChildren(...state.runs.map(({ title, data_set }, i) => new Option(`${title} · ${data_set}`, i)));
    await openScene();
  } catch (error) {
    complain(error);
  }
}

start();
