/** Small helpers that make elements; text is always text, never HTML. */

/**
 * Makes an element.
 * @param {string} tag
 * @param {Object} properties  Attributes; functions become event listeners; false is left out.
 * @param {...(Node|string)} children
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** Paragraphs of the given texts. */
export const paragraphs = (texts) => texts.map((text) => make("p", {}, text));

/** A heading that a new page gives the focus to, so that screen readers start there. */
export const heading = (text) => make("h1", { tabindex: "-1" }, text);

/**
 * Shows a page and sets the focus on its heading.
 * @param {HTMLElement} stage
 * @param {...Node} content
 */
export function show(stage, ...content) {
  stage.replaceChildren(...content);
  window.scrollTo(0, 0);
  stage.querySelector("h1")?.focus({ preventScroll: true });
  document.title = [stage.querySelector("h1")?.textContent, byId("title").textContent]
    .filter(Boolean)
    .join(" – ");
}

export const byId = (id) => document.getElementById(id);
