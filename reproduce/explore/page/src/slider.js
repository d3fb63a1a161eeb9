// The slider: a place on it is wished for, and shown when its frame has come.

import { PLACES } from "./judge.js";
import { drawNow, showMetrics } from "./metrics.js";
import { $, complain, state } from "./state.js";
import { drawRows, showHeat } from "./strips.js";

// One frame at a time; while it is made, only the newest wish is kept.
export const frames = {
  source: null,
  wish: null,
  busy: false,
  age: 0, // of what is shown
  controller: new AbortController(),
  // Nothing that was asked for so far shall be shown.
  drop() {
    this.age += 1;
    this.wish = null;
    this.controller.abort();
    this.controller = new AbortController();
    return this.age;
  },
  async pump() {
    if (this.busy || this.wish === null) return;
    const { make, place } = this.wish;
    const age = this.age;
    this.wish = null;
    this.busy = true;
    const begun = performance.now();
    try {
      const frame = await make(this.controller.signal);
      if (age === this.age) {
        show(frame, place);
        $("problem").hidden = true;
        const took = Math.round(performance.now() - begun);
        $("foot").dataset.milliseconds = took;
        $("foot").dataset.place = place;
        foot(took);
      }
    } catch (error) {
      if (age === this.age) complain(error);
    } finally {
      this.busy = false;
      this.pump();
    }
  },
};

export function wish() {
  const { place, run, space, path, image, blind } = state;
  const { source } = frames;
  if (state.mode === "blind") {
    if (!blind) return;
    const { key, round } = blind;
    frames.wish = { place, make: (signal) => source.blindFrame({ key, round, place }, signal) };
  } else {
    frames.wish = { place, make: (signal) => source.frame({ run, space, path, image, place }, signal) };
  }
  frames.pump();
}

export function moveTo(place) {
  state.place = place;
  const slider = $("slider");
  slider.value = place;
  const share = Math.round((100 * place) / PLACES);
  slider.setAttribute("aria-valuetext", state.mode === "blind" ? `place ${place} of ${PLACES}` : `${share}% of the way from learned to random`);
  if (state.mode === "blind") {
    if (state.blind) $("where").textContent = `Round ${state.blind.round + 1} of ${state.blind.rounds}`;
  } else {
    drawNow(place / PLACES);
  }
  wish();
}

export function foot(milliseconds) {
  const { scene } = state;
  if (!scene) return;
  const parts = [`${scene.title} on ${scene.data_set}`];
  if (state.mode === "open") parts.push(`${scene.size} axes turned`);
  if (scene.size > scene.labels.length) parts.push(`the first ${scene.labels.length} shown`);
  if (milliseconds !== undefined) parts.push(`last frame ${milliseconds} ms`);
  if (scene.notice) parts.push(scene.notice);
  $("foot").textContent = parts.join(" · ");
}

function show(frame, place) {
  drawRows(frame, place);
  if (state.mode === "blind") return;
  state.frame = frame;
  const mean = frame.angles.reduce((a, b) => a + b, 0) / frame.angles.length;
  $("where").textContent = place === 0 ? "The learned basis" : `${Math.round((100 * place) / PLACES)}% of the way · axes turned by ${Math.round(mean)}°`;
  showHeat();
  showMetrics();
}
