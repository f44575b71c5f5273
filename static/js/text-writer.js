// One text on the rail while it is written; its markdown is kept for copying.

import { StreamingMarkdown } from "./streaming-markdown.js";

export class TextWriter {
  #entry;
  #element;
  #stream;

  constructor(entry) {
    this.#entry = entry;
    this.#element = entry.querySelector("[data-content]");
    this.#element.classList.add("writing");
    this.#stream = new StreamingMarkdown(this.#element, entry.dataset.markdown);
  }

  append(text) {
    this.#stream.append(text);
  }

  /** Draw what has come so far. */
  flush() {
    this.#stream.flush();
  }

  finish() {
    this.#stream.finish();
    this.#element.classList.remove("writing");
    this.#entry.dataset.markdown = this.#stream.text;
  }
}
