// Draws the events of a run on its rail: the same fold as chat/steps.py, the same markup as the
// server's partials.

import { fragment } from "./api.js";
import { announce, clone } from "./dom.js";
import { TextWriter } from "./text-writer.js";

export class RunView {
  #rail;
  #step = 0;
  #writer = null;

  constructor(rail) {
    this.#rail = rail;
    const drawn = [...rail.querySelectorAll(":scope > [data-step]")];
    this.#step = Number(drawn.at(-1)?.dataset.step ?? 0);
    const writing = rail.querySelector(":scope > .text:has(> .writing)");
    if (writing) this.#writer = new TextWriter(writing);
    this.#showWork();
  }

  apply(kind, data) {
    switch (kind) {
      case "content":
        this.#startStep();
        this.#write(data.content);
        break;
      case "reasoning":
        this.#startStep();
        this.#thinking().append(data.content);
        break;
      case "tool_calls":
        this.#startStep();
        this.#rest();
        for (const call of data.tools) this.#add(clone("tool-run")).begin(call);
        break;
      case "tool_executing":
      case "tool_progress":
      case "tool_result":
        this.#card(data.id)?.[kind](data);
        break;
      case "input_required":
      case "input_given":
        this.#ask(data);
        break;
      case "notice":
        // Where the model remembers from is a line between two turns: see conversation.js.
        if (!data.turns_left_out) this.#note(data.message);
        break;
      case "step_restarted":
        this.#startStep();
        this.#rest();
        for (const entry of this.#entries()) entry.remove();
        break;
    }
    this.#showWork();
  }

  /** The run is over: nothing moves any more. */
  finish() {
    this.#rest();
    for (const card of this.#rail.querySelectorAll("tool-card")) card.rest();
    this.#rail.querySelector("[data-working]")?.remove();
  }

  #entries(selector = "") {
    return this.#rail.querySelectorAll(`:scope > [data-step="${this.#step}"]${selector}`);
  }

  /** A new step begins once all calls of the last one have ended. */
  #startStep() {
    const cards = [...this.#entries(":has(> tool-card)")];
    if (!cards.length || cards.some((entry) => !entry.querySelector("tool-card").hasEnded)) return;
    this.#rest();
    this.#step += 1;
  }

  #write(text) {
    this.#entries(" > thinking-timer").forEach((timer) => timer.rest());
    if (!this.#writer) {
      const [entry] = this.#entries(".text");
      this.#writer = new TextWriter(entry ?? this.#insert(clone("text")));
    }
    this.#writer.append(text);
  }

  #thinking() {
    const [found] = this.#entries(" > thinking-timer");
    return found ?? this.#add(clone("thinking"));
  }

  #card(id) {
    const cards = this.#rail.querySelectorAll(`[data-tool-run="${CSS.escape(id)}"]`);
    return [...cards].at(-1)?.closest("tool-card");
  }

  /** The server draws its question, and what became of it. */
  async #ask({ id, call_id }) {
    const drawn = await fragment(`/inputs/${id}/`).catch(() => null);
    const entry = drawn?.firstElementChild;
    const card = this.#card(call_id)?.closest("li");
    if (!entry || !card) return;
    entry.dataset.step = card.dataset.step;
    const old = this.#rail.querySelector(`[data-input="${CSS.escape(id)}"]`)?.closest("li");
    if (old) old.replaceWith(entry);
    else card.after(entry);
    announce(this.#rail, "log-grown");
    this.#showWork();
  }

  #note(message) {
    const entry = clone("line");
    entry.dataset.node = "waiting";
    entry.querySelector("p").textContent = message;
    this.#rail.prepend(entry);
  }

  #add(entry) {
    return this.#insert(entry).querySelector("tool-card, thinking-timer");
  }

  #insert(entry) {
    entry.dataset.step = this.#step;
    this.#rail.insertBefore(entry, this.#rail.querySelector(":scope > [data-working]"));
    return entry;
  }

  /** No more text and no more thinking in this step. */
  #rest() {
    this.#writer?.finish();
    this.#writer = null;
    for (const timer of this.#rail.querySelectorAll("thinking-timer")) timer.rest();
  }

  /** While nothing else moves, a line says that we are still at it. */
  #showWork() {
    const moving = '[data-node="running"]:not([data-working]), [data-node="waiting"]:has(tool-card, question-card)';
    const isMoving = this.#writer || this.#rail.querySelector(moving);
    const line = this.#rail.querySelector(":scope > [data-working]");
    if (isMoving) line?.remove();
    else if (!line) this.#rail.append(clone("working"));
  }
}
