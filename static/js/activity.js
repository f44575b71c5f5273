// Every tool run of the conversation as a small timeline, drawn from the cards in the log. A pane
// on wide screens, a drawer on others.

import { clone } from "./dom.js";
import { duration } from "./format.js";

const wide = matchMedia("(min-width: 1500px)");

class ActivityPane extends HTMLElement {
  #isWanted = false;
  #frame = 0;
  #listening = null;

  connectedCallback() {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    document.addEventListener("run-changed", () => this.#soon(), { signal });
    document.addEventListener("run-event", (event) => this.#hear(event.detail), { signal });
    wide.addEventListener("change", () => this.#soon(), { signal });
    document.addEventListener("click", (event) => this.#leave(event), { signal });
    this.#button.addEventListener("click", () => this.#want(!this.#isWanted), { signal });
    this.querySelector("[data-close]").addEventListener("click", () => this.#want(false), { signal });
    this.addEventListener("keydown", (event) => this.#press(event), { signal });
    this.#draw();
  }

  disconnectedCallback() {
    this.#listening.abort();
  }

  get #button() {
    return document.querySelector("[data-toggle-activity]");
  }

  #want(isWanted) {
    this.#isWanted = isWanted;
    this.#draw();
    (isWanted ? this.querySelector("[data-close]") : this.#button).focus();
  }

  #press(event) {
    if (event.key !== "Escape" || wide.matches) return;
    event.preventDefault();
    this.#want(false);
  }

  /** Beside the drawer, or to a card that it covers. */
  #leave({ target }) {
    const isInside = target.closest("activity-pane, [data-toggle-activity]");
    if (!this.#isWanted || (isInside && !target.closest("li a"))) return;
    this.#isWanted = false;
    this.#draw();
  }

  #hear({ kind }) {
    if (kind.startsWith("tool_")) this.#soon();
  }

  #soon() {
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#frame = 0;
    const cards = [...document.querySelectorAll("[role=log] [data-tool-run]")];
    this.hidden = !cards.length || !(wide.matches || this.#isWanted);
    this.#button.hidden = !cards.length || wide.matches;
    this.#button.setAttribute("aria-expanded", String(!this.hidden));
    if (this.hidden) return;
    const runs = cards.map(read);
    this.#sum("[data-calls]", runs.length);
    this.#sum("[data-failed]", runs.filter((run) => run.node === "failed").length);
    this.#sum("[data-time]", duration(runs.reduce((sum, run) => sum + run.took, 0)));
    const list = this.querySelector("ol");
    while (list.children.length > runs.length) list.lastElementChild.remove();
    // An entry that is there is written anew, not exchanged: somebody may be at it.
    for (const [index, run] of runs.entries()) {
      const entry = list.children[index] ?? list.appendChild(clone("activity-item"));
      show(entry, run, index, runs);
    }
  }

  #sum(selector, value) {
    this.querySelector(selector).textContent = value;
  }
}

function read(card) {
  const took = Number(card.dataset.duration || 0);
  return {
    card,
    took,
    node: card.closest(".step").dataset.node,
    name: card.dataset.tool,
    peek: card.querySelector(".peek").textContent,
    time: card.querySelector(".took").textContent,
  };
}

/** The bars follow each other: where each begins is the sum of those before it. */
function show(entry, run, index, runs) {
  const total = Math.max(1, runs.reduce((sum, each) => sum + each.took, 0));
  const before = runs.slice(0, index).reduce((sum, each) => sum + each.took, 0);
  entry.dataset.node = run.node;
  entry.querySelector(".name").textContent = run.name;
  entry.querySelector(".took").textContent = run.time;
  entry.querySelector("small").textContent = run.peek;
  const bar = entry.querySelector("rect");
  bar.setAttribute("x", Math.min(99, (100 * before) / total).toFixed(2));
  bar.setAttribute("width", Math.max(1, (100 * run.took) / total).toFixed(2));
  entry.querySelector("a").onclick = (event) => {
    event.preventDefault();
    run.card.closest(".group")?.setAttribute("open", "");
    run.card.querySelector("summary").focus();
  };
}

customElements.define("activity-pane", ActivityPane);
