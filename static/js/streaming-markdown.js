// Draws an answer while it is written. Blocks that can no longer change are drawn once and left
// alone; only the open end is parsed again, once per frame.

import { markdown } from "./markdown.js";

export class StreamingMarkdown {
  #element;
  #text = "";
  #frozen = 0; // Characters that are drawn for good.
  #examined = 0; // Characters in which we have looked for a place to cut.
  #references = {}; // Link definitions found so far; the first of a name wins.
  #tail = [];
  #frame = 0;

  constructor(element, text = "") {
    this.#element = element;
    this.#element.replaceChildren();
    if (text) {
      this.append(text);
      this.flush();
    }
  }

  get text() {
    return this.#text;
  }

  append(text) {
    this.#text += text;
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  /** Draw what is waiting now. */
  flush() {
    cancelAnimationFrame(this.#frame);
    this.#draw();
  }

  /** The text is complete. A link's definition may stand below what it defines. */
  finish() {
    this.flush();
    if (this.#text.includes("]:")) this.#element.replaceChildren(...render(this.#text, {}));
  }

  #draw() {
    this.#frame = 0;
    this.#freeze();
    const nodes = render(this.#text.slice(this.#frozen), { ...this.#references });
    for (const node of this.#tail) node.remove();
    this.#element.append(...nodes);
    this.#tail = nodes;
  }

  #freeze() {
    // A line that is not complete may still become anything, so it is not looked at.
    const end = this.#text.lastIndexOf("\n") + 1;
    if (end <= this.#examined) return;
    this.#examined = end;
    const open = this.#text.slice(this.#frozen, end);
    const cut = lastCut(open);
    if (!cut) return;

    const nodes = render(open.slice(0, cut), this.#references);
    this.#frozen += cut;
    for (const node of this.#tail) node.remove();
    this.#tail = [];
    this.#element.append(...nodes);
  }
}

/** The nodes of a text; definitions in it are added to `references`. */
function render(text, references) {
  const template = document.createElement("template");
  template.innerHTML = markdown.render(text, { references });
  return [...template.content.childNodes];
}

/** Where the last block but one ends: before it nothing can change any more. 0 if nowhere. */
function lastCut(text) {
  // The parser counts lines after making CR LF and CR one character; so do we.
  if (text.includes("\r")) return 0;
  const blocks = markdown
    .parse(text, {})
    .filter((token) => token.level === 0 && token.nesting >= 0 && token.map);
  if (blocks.length < 2) return 0;
  const lines = blocks.at(-2).map[1];
  let cut = 0;
  for (let line = 0; line < lines; line += 1) cut = text.indexOf("\n", cut) + 1;
  return cut;
}
