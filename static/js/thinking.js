// The model's thinking: a running clock, then how long it took. Closed until somebody opens it.

import { now } from "./dom.js";
import { t } from "./words.js";

const thinking = (seconds) => t("Thinking for {seconds} s", { seconds });

class ThinkingTimer extends HTMLElement {
  #began = 0;
  #timer = 0;

  disconnectedCallback() {
    clearInterval(this.#timer);
  }

  append(text) {
    if (!this.#timer) this.#start();
    this.querySelector("p").append(text);
  }

  /** The thinking is over. */
  rest() {
    if (!this.#timer) return;
    clearInterval(this.#timer);
    this.#timer = 0;
    this.closest(".step").dataset.node = "none";
    this.#say((seconds) => t("Thought for {seconds} s", { seconds }));
  }

  #start() {
    this.#began = now(this);
    this.closest(".step").dataset.node = "running";
    this.#say(thinking);
    this.#timer = setInterval(() => this.#say(thinking), 1000);
  }

  #say(sentence) {
    const seconds = Math.max(1, Math.round((now(this) - this.#began) / 1000));
    this.querySelector(".how-long").textContent = sentence(seconds);
  }
}

customElements.define("thinking-timer", ThinkingTimer);
