// How much room is left in the box. The server prints its limit, and has the last word.

import { language, t, tn } from "./words.js";

const NEAR = 0.9; // The share of the limit from which on one is told.
const numbers = new Intl.NumberFormat(language);

export class LengthLimit {
  #box;
  #count;
  #send;

  constructor(composer) {
    this.#box = composer.querySelector("textarea");
    this.#count = composer.querySelector(".count");
    this.#send = composer.querySelector(".send");
  }

  /** The sentence for a text that is too long, else nothing. */
  get problem() {
    const { most } = this;
    const length = lengthOf(this.#box.value);
    if (length <= most) return "";
    const [has, may] = [length, most].map((number) => numbers.format(number));
    return t("The message has {has} characters; {may} are the most that can be sent.", { has, may });
  }

  get most() {
    return Number(this.#box.dataset.most);
  }

  show() {
    const text = this.#box.value;
    const isNear = text.length > NEAR * this.most;
    const left = isNear ? this.most - lengthOf(text) : this.most;
    const isOver = left < 0;
    this.#count.hidden = left > (1 - NEAR) * this.most;
    this.#count.classList.toggle("over", isOver);
    this.#count.textContent = isOver
      ? tn("{count} character too many", "{count} characters too many", -left)
      : tn("{count} character left", "{count} characters left", left);
    this.#send.setAttribute("aria-disabled", String(isOver));
    this.#send.title = isOver ? this.#count.textContent : "";
  }
}

/** In characters as the server counts them: those beyond the first plane are one. */
function lengthOf(text) {
  return text.length - (text.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0);
}
