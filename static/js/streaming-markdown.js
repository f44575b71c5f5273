// Draws an answer while it is written. Blocks that can no longer change are drawn once and left
// alone; only the open end is parsed again: once per frame, or less often where it is long.

import { markdown } from "./markdown.js";

const RESTS = 4; // For as many times what a frame took, the page is free for other things.
const LONGEST_REST_MS = 1000;
const LINE_END = /\r\n?|\n/g; // As the parser has it.

export class StreamingMarkdown {
  #element;
  #text = "";
  #frozen = 0; // Characters that are drawn for good.
  #examined = 0; // Characters in which we have looked for a place to cut.
  #references = {}; // Link definitions found so far; the first of a name wins.
  #tail = [];
  #frame = 0;
  #restsUntil = 0;

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
    this.#soon();
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

  #soon() {
    this.#frame ||= requestAnimationFrame(() => this.#drawUnlessResting());
  }

  #drawUnlessResting() {
    this.#frame = 0;
    const began = performance.now();
    if (began < this.#restsUntil) {
      this.#soon();
      return;
    }
    this.#draw();
    // After the frame: the page's layout is most of what a long table costs.
    this.#restsUntil = Infinity;
    setTimeout(() => {
      const now = performance.now();
      this.#restsUntil = now + Math.min(RESTS * (now - began), LONGEST_REST_MS);
    });
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
  const tokens = [];
  markdown.block.parse(text.replace(LINE_END, "\n"), markdown, {}, tokens);
  const blocks = tokens.filter((token) => token.level === 0 && token.nesting >= 0 && token.map);
  if (blocks.length < 2) return 0;
  const [, lines] = blocks.at(-2).map;
  const end = [...text.matchAll(LINE_END)][lines - 1];
  return end.index + end[0].length;
}
