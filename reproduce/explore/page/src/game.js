// The blind game: the learned basis lies somewhere on the slider, and the visitor says where.

import { PLACES, headline, judge, sentence } from "./judge.js";
import { frames, moveTo } from "./slider.js";
import { $, AXIS_LETTERS, complain, element, state } from "./state.js";
import { buildRows } from "./strips.js";

// Which models' learned axes were seen in this browser.
export const memory = {
  key: () => `axisbias seen ${state.runs[state.run].data_set} ${state.runs[state.run].title}`,
  has() { try { return localStorage.getItem(this.key()) !== null; } catch { return false; } },
  put() { try { localStorage.setItem(this.key(), "1"); } catch { /* a private window forgets */ } },
};

export async function begin() {
  $("begin").disabled = true;
  try {
    const rounds = Number($("rounds").value);
    const wanted = { run: state.run, space: state.space, rounds, seen: memory.has() };
    const { key, axes } = await frames.source.begin(wanted);
    state.blind = { key, rounds, round: 0 };
    $("blind-intro").hidden = $("choices").hidden = true;
    buildRows([...AXIS_LETTERS.slice(0, axes)]);
    $("stage").hidden = false;
    $("slider").setAttribute("aria-label", "Where the axes are turned to");
    nextRound();
  } catch (error) {
    complain(error);
  } finally {
    $("begin").disabled = false;
  }
}

function nextRound() {
  $("here").disabled = false;
  $("status").textContent = `Round ${state.blind.round + 1} of ${state.blind.rounds}`;
  moveTo(PLACES / 2);
  $("slider").focus({ preventScroll: true });
}

export async function guess() {
  const { blind, place } = state;
  if (!blind || $("here").disabled) return;
  $("here").disabled = true;
  frames.drop();
  try {
    const told = await frames.source.guess({ key: blind.key, round: blind.round, place });
    blind.round = told.round;
    if (told.result) showResult(told.result);
    else nextRound();
  } catch (error) {
    $("here").disabled = false;
    complain(error);
  }
}

function mark(kind, share) {
  const made = element("i", kind);
  made.style.left = `${100 * share}%`;
  return made;
}

function showResult({ hidden, guesses, seen }) {
  const result = { hidden, guesses, ...judge(hidden, guesses) };
  state.blind = null;
  $("stage").hidden = true;
  $("result").hidden = false;
  $("headline").textContent = headline(result);
  $("sentence").textContent = sentence(result, seen);
  $("tracks").replaceChildren(...result.guesses.map((guessed, i) => {
    const track = element("div", "track");
    const [a, b] = [guessed / PLACES, result.hidden[i] / PLACES];
    const gap = mark("gap", Math.min(a, b));
    gap.style.width = `${100 * Math.abs(a - b)}%`;
    track.append(element("b", "", i + 1), gap, mark("mark learned", b), mark("mark guess", a), element("em", "", `${Math.round(100 * result.misses[i])}%`));
    return track;
  }));
  const most = Math.max(0.5, result.mean_miss, result.chance_high);
  const band = mark("band", result.chance_low / most);
  band.style.width = `${(100 * (result.chance_high - result.chance_low)) / most}%`;
  const yours = element("span", "", `you ${Math.round(100 * result.mean_miss)}%`);
  yours.style.left = `${(100 * result.mean_miss) / most}%`;
  const chance = element("span", "", `chance ${Math.round(100 * result.chance_miss)}%`);
  chance.style.left = `${(100 * result.chance_miss) / most}%`;
  // Where the two labels would meet, one says both.
  const close = Math.abs(result.mean_miss - result.chance_miss) / most < 0.2;
  if (close) yours.textContent += ` · chance ${Math.round(100 * result.chance_miss)}%`;
  $("mean").replaceChildren(band, mark("chance", result.chance_miss / most), mark("mark guess", result.mean_miss / most), yours, ...(close ? [] : [chance]));
  $("mean").setAttribute("role", "img");
  $("mean").setAttribute("aria-label", `Mean miss ${Math.round(100 * result.mean_miss)}%, by chance ${Math.round(100 * result.chance_miss)}%`);
  state.tally.push(result);
  const hits = state.tally.reduce((sum, one) => sum + one.hits, 0);
  const chances = state.tally.reduce((sum, one) => sum + one.chance_hits, 0);
  const played = state.tally.reduce((sum, one) => sum + one.guesses.length, 0);
  $("tally").textContent = `On this page so far: ${state.tally.length} ${state.tally.length === 1 ? "session" : "sessions"}, ${played} rounds, ${hits} within 5% of the slider, by chance ${chances.toFixed(1)}.`;
  $("status").textContent = "All rounds are guessed.";
  $("result").querySelector("h2").focus();
}
