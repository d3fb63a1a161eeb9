/** Where answers go when the page comes from the collector: at once, and again until they arrive. */

import { texts } from "./texts.js";

const FIRST_WAIT = 1000; // ms
const LONGEST_WAIT = 20000;
const TIMEOUT = 15000;

class Refused extends Error {}

async function ask(method, path, body) {
  const response = await fetch(path, {
    method,
    body: body && JSON.stringify(body),
    headers: body && { "Content-Type": "application/json" },
    cache: "no-store",
    signal: AbortSignal.timeout(TIMEOUT),
  });
  const isPassing = response.status >= 500 || [408, 429].includes(response.status);
  if (isPassing) throw new Error(`status ${response.status}`);
  const value = await response.json();
  if (!response.ok && response.status !== 409) {
    throw Object.assign(new Refused(value.error), { status: response.status });
  }
  return { value, status: response.status };
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Collector {
  mustDownload = false;

  /** @param {function(string)} report  Shows a line on what is not saved; "" takes it away. */
  constructor(report) {
    this.report = report;
    addEventListener("online", () => this.wake?.());
  }

  async study() {
    return (await ask("GET", "study.json")).value;
  }

  sessionName() {
    return "collector";
  }

  /** Asks what the collector has of a session that goes on; forgets one that it does not know. */
  async resume(session) {
    this.session = session;
    if (!session.state.rater) return;
    try {
      const { value } = await ask("GET", `api/raters/${session.state.rater}`);
      // Not what this browser believes: a database may have been restored from a backup.
      session.update({ sent: value.answered });
      this.send();
    } catch (error) {
      if (error.status !== 404) throw error;
      session.clear();
    }
  }

  async enrol() {
    const { request } = this.session.state;
    this.session.update({ request }); // stored first: asked again, it gives the same rater
    const { value } = await ask("POST", "api/raters", { request });
    this.session.update({ rater: value.rater, list: value.list });
  }

  async trials() {
    return (await ask("GET", `lists/${this.session.state.list}.json`)).value.trials;
  }

  /** Sends what is unsent, in the background; it may be called at any time. */
  send() {
    this.sending ??= this.sendAll().finally(() => (this.sending = null));
    return this.sending;
  }

  async sendAll() {
    const { session } = this;
    let wait = FIRST_WAIT;
    while (session.unsent().length) {
      const [trial, answer] = session.unsent()[0];
      try {
        // 409: another tab was first, and its answer stands.
        await ask("PUT", `api/raters/${session.state.rater}/answers/${trial}`, answer);
        session.update({ sent: [...session.state.sent, trial] });
        wait = FIRST_WAIT;
        this.report("");
      } catch (error) {
        if (error instanceof Refused) {
          this.report(texts.refused(error.message));
          return;
        }
        this.report(texts.unsaved);
        await Promise.race([pause(wait), new Promise((resolve) => (this.wake = resolve))]);
        wait = Math.min(2 * wait, LONGEST_WAIT);
      }
    }
  }

  /** The completion code, once everything is there. */
  async finish() {
    await this.send();
    const { rater } = this.session.state;
    const { value, status } = await ask("POST", `api/raters/${rater}/finish`);
    if (status === 409) {
      await this.resume(this.session);
      throw new Error(value.error);
    }
    return value.code;
  }
}
