// What a screen reader hears: three sentences for a whole answer, at most. Who is elsewhere is told
// by the browser, if they want that, of its end and of what needs them.

import { notify } from "./notifications.js";
import { t } from "./words.js";

const ENDINGS = { completed: t("The answer is complete."), cancelled: t("Stopped.") };

const NEEDS = {
  input_required: t("A tool asks you something."),
  approval_required: t("A tool needs your approval."),
};

class LiveStatus extends HTMLElement {
  #said = new Set();
  #listening = null;

  connectedCallback() {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    document.addEventListener("run-changed", (event) => this.#change(event.detail.run), { signal });
    document.addEventListener("run-event", (event) => this.#hear(event.detail), { signal });
  }

  disconnectedCallback() {
    this.#listening.abort();
  }

  #change(run) {
    const ending = ENDINGS[run.dataset.state];
    const failure = run.querySelector(".oops b")?.textContent ?? t("The answer failed.");
    if (run.isActive) {
      this.#said.clear();
      this.#say(t("Answering."));
    } else if (ending) this.#say(ending);
    else this.#alarm(failure);
    if (!run.isActive) notify(ending ?? failure);
  }

  #hear({ kind }) {
    if (kind === "tool_executing") this.#say(t("Using tools."));
    const sentence = NEEDS[kind];
    if (!sentence) return;
    this.#alarm(sentence);
    notify(sentence);
  }

  /** Each sentence once per answer. */
  #say(sentence) {
    if (this.#said.has(sentence)) return;
    this.#said.add(sentence);
    this.textContent = sentence;
  }

  #alarm(sentence) {
    document.querySelector("[data-alert]").textContent = sentence;
  }
}

customElements.define("live-status", LiveStatus);
