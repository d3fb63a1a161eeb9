/** Where answers go when the page is plain files: they stay here, and JATOS gets a copy. */

import { codeOf, csvOf } from "./csv.js";
import { randomName } from "./session.js";

/** JATOS, where this page runs in it; it alone serves jatos.js, which must come from there. */
async function findJatos() {
  if (!location.pathname.includes("/publix/")) return null;
  await new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = "jatos.js";
    script.onload = resolve;
    script.onerror = () => reject(new Error("jatos.js is missing"));
    document.head.append(script);
  });
  await new Promise((resolve) => window.jatos.onLoad(resolve));
  return window.jatos;
}

export class StaticFiles {
  /** @param {{study: Object, lists: Object[]}} data  What the page holds in itself. */
  constructor(data) {
    this.data = data;
  }

  async study() {
    this.jatos = await findJatos();
    return this.data.study;
  }

  /** Whether the rater alone has the answers. */
  get mustDownload() {
    return !this.jatos;
  }

  /** In JATOS, a new run is a new rater. */
  sessionName() {
    return `static-${this.jatos?.studyResultId ?? ""}`;
  }

  async resume(session) {
    this.session = session;
  }

  /** Draws a list, unless the address says which: ?list=3. */
  async enrol() {
    const { lists } = this.data;
    const wanted = new URLSearchParams(location.search).get("list");
    const drawn = crypto.getRandomValues(new Uint32Array(1))[0] % lists.length;
    const list = wanted === null ? drawn : Number(wanted);
    if (!lists[list]) {
      throw Object.assign(new Error(`there is no list ${wanted}, only 0 to ${lists.length - 1}`), { status: 404 });
    }
    this.session.update({ rater: randomName(), list });
  }

  async trials() {
    return this.data.lists[this.session.state.list].trials;
  }

  async send() {
    await this.jatos?.submitResultData(csvOf(this.session.state));
  }

  async finish() {
    await this.send();
    this.jatos?.endStudyWithoutRedirect?.(true);
    return codeOf(csvOf(this.session.state));
  }
}
