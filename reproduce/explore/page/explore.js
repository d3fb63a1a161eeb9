// The explorer's page. It draws what the server computes and holds no secret: in the blind game the
// server alone knows the angle until the last guess.

const PLACES = 200; // of the slider
const AXIS_LETTERS = "ABCDEFGHIJKL";
// matplotlib's cividis, as the report's tables have it.
const CIVIDIS = ["00224e", "083370", "35456c", "4f576c", "666970", "7d7c78", "948e77", "aea371", "c8b866", "e5cf52", "fee838"];
const HEATS = {
  leakage: "What a small step along each axis changes in the image: the factors' shares, in per cent, as a predictor reads them; mean over starting images. A pure axis has one bright cell.",
  information: "What each axis of the encoder tells about each factor: mutual information, in per cent of the factor's entropy. MIG is the gap between the brightest two cells of a column.",
};

const $ = (id) => document.getElementById(id);
const state = { mode: "open", runs: [], run: 0, space: "", path: 0, image: 0, place: 0, metric: "", heat: "", scene: null, blind: null, tally: [] };

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// --------------------------------------------------------------------------- what the server says

async function ask(path, body, signal) {
  const options = body === undefined ? { signal } : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const reply = await fetch(path, options);
  if (reply.ok) return reply;
  const told = await reply.json().catch(() => ({}));
  throw new Error(told.error || `The server answered ${reply.status}.`);
}

function complain(error) {
  const lost = error instanceof TypeError; // what fetch throws where no server answers
  $("problem").textContent = lost ? "The server does not answer: start it again, and reload this page." : error.message;
  $("problem").hidden = false;
}

function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  return { ...header, pixels: new Uint8Array(buffer, 4 + length) };
}

// One request at a time; while it runs, only the newest wish is kept.
const frames = {
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
    const { url, place } = this.wish;
    const age = this.age;
    this.wish = null;
    this.busy = true;
    const begun = performance.now();
    try {
      const frame = unpack(await (await ask(url, undefined, this.controller.signal)).arrayBuffer());
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

function wish() {
  const { place } = state;
  if (state.mode === "blind") {
    if (!state.blind) return;
    frames.wish = { place, url: `api/blind/${state.blind.key}/frame?round=${state.blind.round}&place=${place}` };
  } else {
    const { run, space, path, image } = state;
    const query = new URLSearchParams({ run, space, path, image, time: place / PLACES });
    frames.wish = { place, url: `api/frame?${query}` };
  }
  frames.pump();
}

async function openScene() {
  const age = frames.drop();
  $("rows").setAttribute("aria-busy", "true");
  try {
    const query = new URLSearchParams({ run: state.run, space: state.space, path: state.path });
    const scene = await (await ask(`api/scene?${query}`)).json();
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

// -------------------------------------------------------------------------------------- the choices

function fillChoices() {
  const { scene } = state;
  $("space").replaceChildren(...scene.spaces.map(({ name, summary }) => new Option(summary, name, false, name === scene.space)));
  $("image").textContent = state.image + 1;
  $("path").textContent = state.path + 1;
  $("path-back").disabled = state.path === 0;
  $("rounds").replaceChildren(...scene.blind_rounds.map((n) => new Option(n, n, false, n === 10)));
  $("begin").disabled = scene.blind_rounds.length === 0;
  $("blind-small").hidden = scene.blind_rounds.length > 0;
}

const memory = {
  key: () => `axisbias seen ${state.runs[state.run].data_set} ${state.runs[state.run].title}`,
  has() { try { return localStorage.getItem(this.key()) !== null; } catch { return false; } },
  put() { try { localStorage.setItem(this.key(), "1"); } catch { /* a private window forgets */ } },
};

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

function moveTo(place) {
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

function foot(milliseconds) {
  const { scene } = state;
  if (!scene) return;
  const parts = [`${scene.title} on ${scene.data_set}`];
  if (state.mode === "open") parts.push(`${scene.size} axes turned`);
  if (scene.size > scene.labels.length) parts.push(`the first ${scene.labels.length} shown`);
  if (milliseconds !== undefined) parts.push(`last frame ${milliseconds} ms`);
  if (scene.notice) parts.push(scene.notice);
  $("foot").textContent = parts.join(" · ");
}

// ------------------------------------------------------------------------------------ rows of strips

let rows = [];

function buildRows(labels) {
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

function buildHeat() {
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

function show(frame, place) {
  const [count, ...shape] = frame.shape;
  const size = shape.reduce((a, b) => a * b);
  rows.slice(0, count).forEach((row, i) => {
    drawStrip(row.canvas, frame.pixels.subarray(i * size, (i + 1) * size), shape);
    row.row.classList.toggle("dead", frame.dead[i]);
    if (state.mode === "blind") return;
    row.turned.textContent = place === 0 ? "as learned" : `turned ${Math.round(frame.angles[i])}°`;
    row.step.textContent = frame.dead[i] ? "dead" : `±${frame.steps[i].toFixed(2)}`;
  });
  if (state.mode === "blind") return;
  state.frame = frame;
  const mean = frame.angles.reduce((a, b) => a + b, 0) / frame.angles.length;
  $("where").textContent = place === 0 ? "The learned basis" : `${Math.round((100 * place) / PLACES)}% of the way · axes turned by ${Math.round(mean)}°`;
  showHeat();
  showMetrics();
}

function showHeat() {
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

// ------------------------------------------------------------------------------------------- metrics

function number(value) {
  const size = Math.abs(value);
  if (size >= 10) return value.toPrecision(3);
  if (size < 5e-4 && size > 0) return value.toExponential(0);
  return value.toFixed(3).replace(/^(-?)0\./, "$1.");
}
const heading = (metric) => metric.title[0].toUpperCase() + metric.title.slice(1);
let meters = {};

function buildMetrics() {
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

function showMetrics() {
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

function drawCurve() {
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

function drawNow(time) {
  if (!plotted) return;
  const { metric, y } = plotted;
  const at = time * (metric.path.length - 1);
  const low = Math.min(Math.floor(at), metric.path.length - 2);
  const value = metric.path[low] + (metric.path[low + 1] - metric.path[low]) * (at - low);
  $("dot-now").style.left = `${100 * time}%`;
  $("dot-now").style.bottom = `${100 - y(value)}%`;
}

// ------------------------------------------------------------------------------------ the blind game

async function begin() {
  $("begin").disabled = true;
  try {
    const rounds = Number($("rounds").value);
    const wanted = { run: state.run, space: state.space, rounds, seen: memory.has() };
    const { key, axes } = await (await ask("api/blind", wanted)).json();
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

async function guess() {
  const { blind, place } = state;
  if (!blind || $("here").disabled) return;
  $("here").disabled = true;
  frames.drop();
  try {
    const told = await (await ask(`api/blind/${blind.key}/guess`, { round: blind.round, place })).json();
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

function showResult(result) {
  state.blind = null;
  $("stage").hidden = true;
  $("result").hidden = false;
  $("headline").textContent = result.headline;
  $("sentence").textContent = result.sentence;
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

// --------------------------------------------------------------------------------------------- hands

function listen() {
  $("run").addEventListener("change", () => {
    Object.assign(state, { run: Number($("run").value), space: "", place: 0 });
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
    state.runs = await (await ask("api/runs")).json();
    $("run").replaceChildren(...state.runs.map(({ title, data_set }, i) => new Option(`${title} · ${data_set}`, i)));
    await openScene();
  } catch (error) {
    complain(error);
  }
}

start();
