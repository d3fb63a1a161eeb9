/** Strips of pictures: loading, and showing them in motion or side by side. */

import { make } from "./dom.js";

const FRAME_MS = 180;
const images = new Map();

/** Starts loading a strip; resolves to its image once it can be drawn. */
export function load(name) {
  if (!images.has(name)) {
    const image = new Image();
    image.src = `strips/${name}.png`;
    const loaded = image.decode().then(() => image);
    images.set(name, loaded);
    loaded.catch(() => images.delete(name)); // the next attempt starts anew
  }
  return images.get(name);
}

/** Lets go of a strip that will not be shown again. */
export const unload = (name) => images.delete(name);

/** The frame to show at a time: back and forth, each end once. */
export function frameAt(ms, frames) {
  if (frames < 2) return 0;
  const step = Math.floor(ms / FRAME_MS) % (2 * frames - 2);
  return step < frames ? step : 2 * frames - 2 - step;
}

function draw(canvas, image, frame, { width, height }) {
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, width, height);
  context.drawImage(image, frame * width, 0, width, height, 0, 0, width, height);
}

function canvases(count, size) {
  return Array.from({ length: count }, () =>
    make("canvas", { width: size.width, height: size.height }),
  );
}

export class Strips {
  /**
   * @param {HTMLElement[]} places  Where each strip goes.
   * @param {HTMLImageElement[]} pictures  Frames side by side.
   * @param {{width: number, height: number, frames: number}} size  Of one frame, and how many.
   */
  constructor(places, pictures, size) {
    Object.assign(this, { places, pictures, size });
  }

  /** Shows all strips in step, moving or still. */
  show(isMoving) {
    cancelAnimationFrame(this.request);
    const { frames } = this.size;
    for (const [index, place] of this.places.entries()) {
      const shown = canvases(isMoving ? 1 : frames, this.size);
      shown.forEach((canvas, frame) => draw(canvas, this.pictures[index], frame, this.size));
      place.classList.toggle("still", !isMoving);
      place.replaceChildren(...shown);
    }
    if (isMoving) this.animate();
  }

  animate() {
    const start = performance.now();
    let last = 0;
    const step = (now) => {
      const frame = frameAt(Math.max(0, now - start), this.size.frames);
      if (frame !== last) {
        this.places.forEach((place, index) =>
          draw(place.firstChild, this.pictures[index], frame, this.size),
        );
        last = frame;
      }
      this.request = requestAnimationFrame(step);
    };
    this.request = requestAnimationFrame(step);
  }

  stop() {
    cancelAnimationFrame(this.request);
  }
}
