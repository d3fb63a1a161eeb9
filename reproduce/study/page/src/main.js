/** The experiment: from consent to the completion code. */

import { initJsPsych } from "jspsych";

import { Collector } from "./collector.js";
import { byId } from "./dom.js";
import {
  PagePlugin, backPage, consentPage, donePage, downloadLink, instructionsPage, textPage, workPage,
} from "./pages.js";
import { PairPlugin } from "./pair.js";
import { Session } from "./session.js";
import { StaticFiles } from "./static.js";
import { load, unload } from "./strips.js";
import { texts } from "./texts.js";

const AHEAD = 3; // pairs whose strips are loaded before they are needed
const GAP_MS = 250; // blank between pairs, so that a key pressed twice answers one of them

const data = JSON.parse(byId("study").textContent);
const backend = data
  ? new StaticFiles(data)
  : new Collector((line) => (byId("saving").textContent = line));

let study;
let session;
let trials = [];

async function prepare() {
  study = await backend.study();
  byId("title").textContent = study.title;
  byId("notice").textContent = study.notice ?? "";
  session = new Session(`${study.study}-${backend.sessionName()}`);
  await backend.resume(session);
  if (session.state.rater) trials = await backend.trials();
}

async function enrol() {
  await backend.enrol();
  trials = await backend.trials();
}

function forget() {
  if (!window.confirm(texts.forgetSure)) return;
  session.clear();
  location.reload();
}

/** Shows where the rater is, in words and as a bar. */
function mark(place, done) {
  byId("place").textContent = place;
  byId("progress").hidden = !place;
  byId("progress").max = study.trials_per_list;
  byId("progress").value = done;
}

const page = (draw) => ({ type: PagePlugin, draw: (stage, done) => draw(stage, done) });

/** Nodes that are shown only if the condition holds when their turn comes. */
const onlyIf = (condition, ...timeline) => ({ timeline, conditional_function: condition });

function practice(index) {
  const { practice: pairs } = study;
  const pair = pairs[index];
  const correct = pair.correct === pair.left ? "left" : "right";
  return onlyIf(() => session.state.practised <= index, {
    type: PairPlugin,
    pair,
    size: study.image,
    session,
    post_trial_gap: GAP_MS,
    feedback: (side) => ({ isRight: side === correct, side: correct, text: pair.feedback }),
    on_start: () => mark(texts.practicePair(index + 1, pairs.length), 0),
    on_finish: () => session.update({ practised: index + 1 }),
  });
}

function question(number) {
  const total = study.trials_per_list;
  const ask = {
    type: PairPlugin,
    pair: () => trials[number],
    size: study.image,
    session,
    post_trial_gap: GAP_MS,
    asks_name: () => trials[number].ask_name,
    draft: () => (session.state.draft?.trial === number ? session.state.draft : null),
    on_start: () => {
      mark(texts.pair(number + 1, total), number);
      for (const { left, right } of trials.slice(number, number + 1 + AHEAD)) {
        // A failed download is told when its pair's turn comes.
        [left, right].forEach((strip) => load(strip).catch(() => {}));
      }
    },
    on_choice: (choice) => session.update({ draft: { trial: number, ...choice } }),
    on_finish: ({ side, rt_ms, name }) => {
      const { item, left, right } = trials[number];
      const [chosen, rejected] = side === "left" ? [left, right] : [right, left];
      session.keep(number, { item, chosen, rejected, side, rt_ms, name });
      backend.send().catch(() => {});
      [left, right].forEach(unload);
      mark(texts.pair(number + 1, total), number + 1);
    },
  };
  const done = number + 1;
  const isBreak = done % study.break_every === 0 && done < total;
  const rest = textPage(texts.breakTitle, [texts.breakText(done, total)], texts.goOn);
  return onlyIf(() => !session.hasAnswered(number), ask, ...(isBreak ? [page(rest)] : []));
}

/** Everything, in order; what was done before the tab was closed is passed over. */
function timeline() {
  const rescue = () => [downloadLink(session, session.state.rater, texts.rescue, "")];
  const finish = async () => session.update({ code: await backend.finish() });
  const isNew = () => !session.state.rater;
  const hasCode = () => Boolean(session.state.code);
  const isPractising = () => !session.state.ready;
  const ready = textPage(
    texts.practiceDone, [texts.practiceDoneText(study.trials_per_list)], texts.start,
  );
  return [
    onlyIf(() => !isNew() && !hasCode(), page(backPage(study, session, forget))),
    onlyIf(isNew, page(consentPage(study)), page(workPage(texts.loading, enrol))),
    onlyIf(
      isPractising,
      page(instructionsPage(session)),
      ...study.practice.map((_, index) => practice(index)),
      page((stage, done) => {
        mark("", 0);
        ready(stage, done);
      }),
      page((_, done) => {
        session.update({ ready: true });
        done();
      }),
    ),
    ...Array.from({ length: study.trials_per_list }, (_, number) => question(number)),
    onlyIf(() => !hasCode(), page(workPage(texts.savingTitle, finish, rescue))),
    page((stage, done) => {
      mark("", 0);
      donePage(session, backend.mustDownload, forget)(stage, done);
    }),
  ];
}

async function run() {
  const stage = byId("stage");
  await new Promise((done) => workPage(texts.loading, prepare)(stage, done));
  stage.replaceChildren();
  const jsPsych = initJsPsych({ display_element: stage });
  const running = jsPsych.run(timeline());
  stage.tabIndex = -1; // jsPsych makes it a stop of the Tab key, where there is nothing to do
  await running;
}

run();
