// Frames that a server on this machine makes (reproduce/explore/server.py).

import { PLACES } from "./judge.js";

async function ask(path, body, signal) {
  const options = body === undefined ? { signal } : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  let reply;
  try {
    reply = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer: start it again, and reload this page.");
  }
  if (reply.ok) return reply;
  const told = await reply.json().catch(() => ({}));
  throw new Error(told.error || `The server answered ${reply.status}.`);
}

/** A frame: the length of a header in JSON, the header, and the pixels as bytes. */
function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  return { ...header, pixels: new Uint8Array(buffer, 4 + length) };
}

const frame = async (path, query, signal) => unpack(await (await ask(`${path}?${new URLSearchParams(query)}`, undefined, signal)).arrayBuffer());

/** A source of frames; StaticSource is the other one, with the same methods. */
export class ServedSource {
  /** The runs that can be chosen: [{title, data_set}]. */
  async runs() {
    return (await ask("api/runs")).json();
  }

  /** What is shown beside frames, as reproduce/explore/scene.py says it. */
  async scene(choice) {
    return (await ask(`api/scene?${new URLSearchParams(choice)}`)).json();
  }

  /** {shape, pixels, steps, dead, angles, metrics, information, leakage} at a place of the slider. */
  async frame({ place, ...choice }, signal) {
    return frame("api/frame", { ...choice, time: place / PLACES }, signal);
  }

  /** A blind session: {key, axes}. */
  async begin(wanted) {
    return (await ask("api/blind", wanted)).json();
  }

  /** {shape, pixels, dead} at a place of a session's round. */
  async blindFrame({ key, ...choice }, signal) {
    return frame(`api/blind/${key}/frame`, choice, signal);
  }

  /** {round, rounds}, what comes next; after the last guess {result: {hidden, guesses, seen}}, too. */
  async guess({ key, ...guessed }) {
    return (await ask(`api/blind/${key}/guess`, guessed)).json();
  }
}
