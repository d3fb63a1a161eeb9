/** The pages between the pairs, as one jsPsych plugin that draws whatever it is told. */

import { ParameterType } from "jspsych";

import { csvOf } from "./csv.js";
import { heading, make, paragraphs, show } from "./dom.js";
import { texts } from "./texts.js";

export class PagePlugin {
  static info = {
    name: "study-page",
    version: "0.1.0",
    // Draws on the stage and calls back when the rater wants to go on.
    parameters: { draw: { type: ParameterType.FUNCTION } },
    data: {},
  };

  constructor(jsPsych) {
    this.jsPsych = jsPsych;
  }

  async trial(stage, trial, onLoad) {
    const finished = new Promise((resolve) => trial.draw(stage, resolve));
    onLoad();
    await finished;
    return {};
  }
}

const button = (text, click, kind = "main") =>
  make("button", { type: "button", class: kind, click: () => click() }, text);
const buttons = (...children) => make("div", { class: "buttons" }, ...children);

/** A page of text and one button. */
export function textPage(title, lines, go) {
  return (stage, done) => show(stage, heading(title), ...paragraphs(lines), buttons(button(go, done)));
}

/** Minutes that a study takes, by ten seconds a pair and fifteen more for a name. */
function minutes(study) {
  const names = study.trials_per_list / 4;
  return Math.ceil((10 * (study.trials_per_list + study.practice.length) + 15 * names + 90) / 60);
}

export function consentPage(study) {
  return (stage, done) => {
    const lines = study.consent ?? texts.consent(minutes(study));
    const contact = study.contact ? [texts.contact(study.contact)] : [];
    const box = make("input", { type: "checkbox", id: "agree", "aria-describedby": "agree-first" });
    const error = make("p", { id: "agree-first", class: "error", role: "alert" });
    const begin = () => {
      if (box.checked) done();
      else error.textContent = texts.agreeFirst;
    };
    const decline = () => show(stage, heading(texts.declinedTitle), ...paragraphs([texts.declined]));
    show(
      stage,
      heading(texts.consentTitle),
      ...paragraphs([...lines, texts.kept, ...contact]),
      make("p", { class: "check" }, box, make("label", { for: "agree" }, texts.agree)),
      error,
      buttons(button(texts.begin, begin), button(texts.decline, decline, "")),
    );
  };
}

/** Does something that may fail, and offers to try again until it works. */
export function workPage(title, work, rescue = () => []) {
  return (stage, done) => {
    const attempt = async () => {
      show(stage, heading(title));
      try {
        await work();
        done();
      } catch (error) {
        show(
          stage,
          heading(texts.failed),
          make("p", { role: "alert" }, error.status ? texts.said(error.message) : texts.unreached),
          buttons(button(texts.retry, attempt), ...rescue()),
        );
      }
    };
    attempt();
  };
}

export function backPage(study, session, forget) {
  return (stage, done) => {
    const trials = [...Array(study.trials_per_list).keys()];
    const answered = trials.filter((trial) => session.hasAnswered(trial)).length;
    show(
      stage,
      heading(texts.backTitle),
      ...paragraphs([texts.back(answered, study.trials_per_list)]),
      buttons(button(texts.goOn, done), button(texts.someoneElse, forget, "")),
    );
  };
}

export function instructionsPage(session) {
  return (stage, done) => {
    const box = make("input", { type: "checkbox", id: "keys" });
    box.checked = session.state.keys;
    box.addEventListener("change", () => session.update({ keys: box.checked }));
    show(
      stage,
      heading(texts.instructionsTitle),
      ...paragraphs(texts.instructions),
      make("p", { class: "check" }, box, make("label", { for: "keys" }, texts.keys)),
      buttons(button(texts.practise, done)),
    );
  };
}

/** A link that downloads a session's answers. */
export function downloadLink(session, name, text, kind) {
  const file = new Blob([csvOf(session.state)], { type: "text/csv" });
  const href = URL.createObjectURL(file);
  return make("a", { href, download: `answers-${name}.csv`, class: `button ${kind}` }, text);
}

export function donePage(session, mustDownload, forget) {
  return (stage) => {
    const { code } = session.state;
    const said = make("span", { role: "status" });
    const shown = make("output", { class: "code", id: "code" }, code);
    const copy = async () => {
      await navigator.clipboard.writeText(code);
      said.textContent = texts.copied;
    };
    // Only pages that are trusted (HTTPS, this machine) may use the clipboard.
    const copying = navigator.clipboard ? [button(texts.copy, copy, ""), said] : [];
    const saving = mustDownload
      ? [
          ...paragraphs([texts.downloadText]),
          buttons(downloadLink(session, code, texts.download, "main")),
        ]
      : [];
    show(
      stage,
      heading(texts.doneTitle),
      make("p", {}, make("label", { for: "code" }, texts.code), " ", shown, " ", ...copying),
      ...saving,
      make("h2", {}, texts.debriefingTitle),
      ...paragraphs([...texts.debriefing, texts.closing]),
      make("p", { class: "center" }, button(texts.nextPerson, forget, "quiet")),
    );
  };
}
