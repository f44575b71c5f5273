// What a screen reader hears and what the tab's title shows: three sentences for a whole answer.

const ENDINGS = { completed: "The answer is complete.", cancelled: "Stopped." };

class LiveStatus extends HTMLElement {
  #said = new Set();
  #isActive = false;
  #listening = null;

  connectedCallback() {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    document.addEventListener("run-changed", (event) => this.#change(event.detail.run), { signal });
    document.addEventListener("run-event", (event) => this.#hear(event.detail), { signal });
    document.addEventListener("title-changed", () => this.#entitle(), { signal });
  }

  disconnectedCallback() {
    this.#listening.abort();
  }

  #change(run) {
    this.#isActive = run.isActive;
    this.#entitle();
    if (run.isActive) {
      this.#said.clear();
      this.#say("Answering.");
    } else if (ENDINGS[run.dataset.state]) {
      this.#say(ENDINGS[run.dataset.state]);
    } else {
      this.#alarm(run.querySelector(".oops b")?.textContent ?? "The answer failed.");
    }
  }

  #hear({ kind }) {
    if (kind === "tool_executing") this.#say("Using tools.");
    if (kind === "input_required") this.#alarm("A tool asks you something.");
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

  #entitle() {
    const title = document.querySelector(".top h1").textContent;
    const mark = this.#isActive ? "● " : "";
    document.title = `${mark}${title} · ${document.body.dataset.site}`;
  }
}

customElements.define("live-status", LiveStatus);
