// The model's thinking: a running clock, then how long it took. Closed until somebody opens it.

class ThinkingTimer extends HTMLElement {
  #began = Date.now();
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
    this.#say("Thought");
  }

  #start() {
    this.closest(".step").dataset.node = "running";
    this.#say("Thinking");
    this.#timer = setInterval(() => this.#say("Thinking"), 1000);
  }

  #say(verb) {
    const seconds = Math.max(1, Math.round((Date.now() - this.#began) / 1000));
    this.querySelector(".how-long").textContent = `${verb} for ${seconds} s`;
  }
}

customElements.define("thinking-timer", ThinkingTimer);
