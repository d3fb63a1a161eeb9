/** What a rater's browser remembers, so that a closed tab loses nothing. */

const FRESH = { answers: {}, sent: [], practised: 0, moving: null, keys: true };

/** 128 random bits as hex digits. */
export function randomName() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Session {
  /** @param {string} name  The study's identifier, and whatever else tells sessions apart. */
  constructor(name) {
    this.place = `axisbias-study-${name}`;
    this.state = { ...FRESH, request: randomName(), ...this.stored() };
  }

  /** What was stored; nothing where the browser forbids it. */
  stored() {
    try {
      return JSON.parse(localStorage.getItem(this.place)) ?? {};
    } catch {
      return {};
    }
  }

  /** Changes the state and stores it. */
  update(changes) {
    const other = this.stored();
    Object.assign(this.state, changes);
    if (other.rater && other.rater === this.state.rater) {
      // A second tab may have answered meanwhile.
      this.state.answers = { ...other.answers, ...this.state.answers };
    }
    try {
      localStorage.setItem(this.place, JSON.stringify(this.state));
    } catch {
      // No storage: the session lasts as long as the tab.
    }
  }

  hasAnswered(trial) {
    return trial in this.state.answers || this.state.sent.includes(trial);
  }

  keep(trial, answer) {
    this.update({ answers: { ...this.state.answers, [trial]: answer }, draft: null });
  }

  /** [trial, answer] of those that the collector has not acknowledged, in order. */
  unsent() {
    return Object.entries(this.state.answers)
      .map(([trial, answer]) => [Number(trial), answer])
      .filter(([trial]) => !this.state.sent.includes(trial));
  }

  /** Forgets everything: the next rater on this machine. */
  clear() {
    try {
      localStorage.removeItem(this.place);
    } catch {
      // There was nothing.
    }
    this.state = { ...FRESH, request: randomName() };
  }
}
