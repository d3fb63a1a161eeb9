/** The jsPsych plugin of a pair of strips: choose one, by mouse, touch or key. */

import { ParameterType } from "jspsych";

import { heading, make, show } from "./dom.js";
import { Strips, load } from "./strips.js";
import { texts } from "./texts.js";

const SIDES = ["left", "right"];
export const LETTERS = { left: "A", right: "B" };
const KEYS = { f: "left", arrowleft: "left", j: "right", arrowright: "right" };
const LARGEST = 320; // CSS pixels
const SHOWN_MS = 300; // how long a choice is marked before the page goes on

export class PairPlugin {
  static info = {
    name: "strip-pair",
    version: "0.1.0",
    parameters: {
      pair: { type: ParameterType.OBJECT }, // left, right
      size: { type: ParameterType.OBJECT }, // of a frame: width, height; frames
      session: { type: ParameterType.OBJECT },
      feedback: { type: ParameterType.FUNCTION, default: null }, // of the side, for practice
      draft: { type: ParameterType.OBJECT, default: null }, // a choice made before the tab closed
      asks_name: { type: ParameterType.BOOL, default: false },
      on_choice: { type: ParameterType.FUNCTION, default: null },
    },
    data: {
      side: { type: ParameterType.STRING },
      rt_ms: { type: ParameterType.INT },
      name: { type: ParameterType.STRING },
    },
  };

  constructor(jsPsych) {
    this.jsPsych = jsPsych;
  }

  /** Shows the pair; resolves to the side, the milliseconds and the name. */
  async trial(stage, trial, onLoad) {
    const buttons = SIDES.map((side) => stripButton(side, trial.session.state.keys));
    const [toggle, strips] = await this.present(stage, trial, buttons);
    onLoad();
    const { side, rt_ms } = trial.draft ?? (await chosenSide(buttons, trial.session.state.keys));
    trial.on_choice?.({ side, rt_ms });
    buttons.forEach((button, index) => {
      button.setAttribute("aria-pressed", SIDES[index] === side);
      button.setAttribute("aria-disabled", "true");
    });
    let name = "";
    if (trial.feedback) await showFeedback(stage, trial.feedback(side), buttons);
    else if (trial.asks_name) name = await askName(stage, side);
    else await new Promise((resolve) => setTimeout(resolve, SHOWN_MS));
    strips.stop();
    toggle.remove();
    return { side, rt_ms, name };
  }

  /** Puts the pair on the stage, once both strips are loaded, and both at once. */
  async present(stage, { pair, size, session }, buttons) {
    const pictures = await loaded(stage, SIDES.map((side) => pair[side]));
    const places = buttons.map((button) => button.querySelector(".strip"));
    const strips = new Strips(places, pictures, size);
    const toggle = make("button", { type: "button", class: "quiet" });
    const draw = () => {
      const { moving } = session.state;
      const isMoving = moving ?? !matchMedia("(prefers-reduced-motion: reduce)").matches;
      strips.show(isMoving);
      toggle.textContent = isMoving ? texts.still : texts.moving;
      buttons.forEach((button, index) => {
        const letter = LETTERS[SIDES[index]];
        button.setAttribute("aria-label", texts.stripLabel(letter, isMoving, size.frames));
      });
      return isMoving;
    };
    toggle.addEventListener("click", () => {
      session.update({ moving: toggle.textContent === texts.moving });
      draw();
    });
    const question = heading(texts.question);
    question.id = "question";
    const group = make("div", { class: "pair", role: "group", "aria-labelledby": "question" });
    group.append(...buttons);
    show(stage, question, group, make("p", { class: "center" }, toggle));
    fit(group, size);
    draw();
    await new Promise(requestAnimationFrame);
    return [toggle, strips];
  }
}

function stripButton(side, hasKeys) {
  const shortcuts = hasKeys && { left: "F ArrowLeft", right: "J ArrowRight" }[side];
  return make(
    "button",
    {
      type: "button", class: "choice", "data-side": side,
      "aria-pressed": "false", "aria-keyshortcuts": shortcuts,
    },
    make("span", { class: "letter" }, LETTERS[side]),
    make("span", { class: "strip" }),
    make("span", { class: "hint", "aria-hidden": "true" }, hasKeys ? texts.hints[side] : ""),
  );
}

/** Moving pictures are as large as the screen allows, and both alike. */
function fit(group, { width, height }) {
  const isNarrow = window.innerWidth < 700;
  const wide = group.clientWidth / (isNarrow ? 1 : 2) - 48;
  const high = window.innerHeight * (isNarrow ? 0.27 : 0.37);
  const times = Math.min(wide / width, high / height, LARGEST / width);
  group.style.setProperty("--width", `${Math.round(times * width)}px`);
  group.style.setProperty("--ratio", `${width} / ${height}`);
}

/** Both images; a failed download is told, and tried again when the rater says so. */
async function loaded(stage, names) {
  for (;;) {
    try {
      return await Promise.all(names.map(load));
    } catch {
      await new Promise((resolve) =>
        show(
          stage,
          heading(texts.failed),
          make("p", { role: "alert" }, texts.noPicture),
          make("button", { type: "button", class: "main", click: resolve }, texts.retry),
        ),
      );
    }
  }
}

/** The first choice, by click, tap or key, with the time since now. */
function chosenSide(buttons, hasKeys) {
  const start = performance.now();
  return new Promise((resolve) => {
    const choose = (side) => {
      document.removeEventListener("keydown", press);
      resolve({ side, rt_ms: Math.round(performance.now() - start) });
    };
    const press = (event) => {
      const side = KEYS[event.key.toLowerCase()];
      const isOther = event.ctrlKey || event.altKey || event.metaKey || event.repeat;
      if (!side || isOther) return;
      event.preventDefault();
      choose(side);
    };
    if (hasKeys) document.addEventListener("keydown", press);
    for (const button of buttons) {
      button.addEventListener("click", () => choose(button.dataset.side), { once: true });
    }
  });
}

async function showFeedback(stage, { isRight, side, text }, buttons) {
  const next = make("button", { type: "button", class: "main" }, texts.next);
  buttons.forEach((button) => button.classList.toggle("correct", button.dataset.side === side));
  const words = make("p", {}, make("strong", {}, isRight ? texts.right : texts.wrong), ` ${text}`);
  const box = make("div", { class: `feedback ${isRight ? "right" : "wrong"}` }, words, next);
  words.setAttribute("role", "status");
  await answered(stage, box, next, (done) => next.addEventListener("click", () => done()));
}

async function askName(stage, side) {
  const letter = LETTERS[side];
  const input = make("input", {
    id: "name", type: "text", maxlength: "200", autocomplete: "off", autocapitalize: "off",
    "aria-describedby": "name-error",
  });
  const error = make("p", { id: "name-error", class: "error", role: "alert" });
  const skip = make("button", { type: "button" }, texts.cannotSay);
  const form = make(
    "form",
    { class: "feedback" },
    make("p", { role: "status" }, texts.chosen(letter)),
    make("label", { for: "name" }, texts.nameLabel(letter)),
    input,
    error,
    make("div", { class: "buttons" }, make("button", { class: "main" }, texts.continue), skip),
  );
  return answered(stage, form, input, (done) => {
    skip.addEventListener("click", () => done(""));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const name = input.value.replace(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/gu, " ").trim();
      if (name) done(name);
      else error.textContent = texts.nameMissing;
    });
  });
}

/** Shows a box below the pair, sets the focus, and waits until it says that it is done. */
function answered(stage, box, focus, listen) {
  return new Promise((resolve) => {
    listen(resolve);
    stage.append(box);
    box.scrollIntoView({ block: "nearest" });
    focus.focus();
  });
}
