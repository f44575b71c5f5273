/** A copy of the first element in the <template> with this id. */
export function clone(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

/** Tell everybody who listens further up. */
export function announce(element, name, detail = {}) {
  element.dispatchEvent(new CustomEvent(name, { bubbles: true, detail }));
}

/** 128 random bits as text; `crypto.randomUUID` is not there over plain HTTP. */
export function randomName() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** As many rows as lines, for browsers without `field-sizing`. */
export function fit(textarea) {
  if (CSS.supports("field-sizing", "content")) return;
  textarea.rows = Math.min(12, textarea.value.split("\n").length);
}
