/** A copy of the first element in the <template> with this id. */
export function clone(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

/** Tell everybody who listens further up. */
export function announce(element, name, detail = {}) {
  element.dispatchEvent(new CustomEvent(name, { bubbles: true, detail }));
}

/** Milliseconds since 1970: now, or when it happened, where an answer is played again. */
export function now(element) {
  return element.closest("run-stream")?.clock?.() ?? Date.now();
}

/** 128 random bits as text; `crypto.randomUUID` is not there over plain HTTP. */
export function randomName() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const LONG_CHARACTERS = 10_000;

/** As many rows as lines, for browsers without `field-sizing`; a long text keeps its direction. */
export function fit(textarea) {
  // With every letter browsers look through all of it, several times.
  if (textarea.value.length < LONG_CHARACTERS) textarea.dir = "auto";
  else if (textarea.dir === "auto") textarea.dir = getComputedStyle(textarea).direction;
  if (CSS.supports("field-sizing", "content")) return;
  textarea.rows = Math.min(12, textarea.value.split("\n").length);
}
