// Draws the events of a run on its rail: the same fold as chat/steps.py, the same markup as the
// server's partials.

import { fragment } from "./api.js";
import { announce, clone } from "./dom.js";
import { TextWriter } from "./text-writer.js";

export class RunView {
  #rail;
  #question;
  #step = 0;
  #writer = null;
  #asked = new Map(); // How often for each question: an older answer does not replace a newer one.
  #isOver = false;

  /** `question` gives the entry of an "input" or "approval" by its id: else the server draws it. */
  constructor(rail, question = fetchQuestion) {
    this.#rail = rail;
    this.#question = question;
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
      case "approval_required":
        this.#card(data.id)?.approval_required(data);
        this.#approval(data);
        break;
      case "approval_decided":
        this.#card(data.id)?.approval_decided(data);
        this.#approval(data);
        break;
      case "tool_executing":
      case "tool_progress":
      case "tool_result":
        this.#card(data.id)?.[kind](data);
        break;
      case "input_required":
      case "input_given":
        this.#ask("input", data.id, data.call_id);
        break;
      case "notice":
        // Where the model remembers from is a line between two turns: see conversation.js.
        if (!data.turns_left_out) this.#note();
        break;
      case "step_restarted":
        this.#startStep();
        this.#rest();
        for (const entry of this.#entries()) entry.remove();
        break;
    }
    this.#showWork();
  }

  /** All that has come so far is to be seen now. */
  flush() {
    this.#writer?.flush();
  }

  /** The run is over: nothing moves any more. */
  finish() {
    this.#isOver = true;
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

  /** Whether a call waits for the person. */
  get isAwaiting() {
    return Boolean(this.#rail.querySelector('[data-tool-run][data-state="awaiting_approval"]'));
  }

  /** A call that must be allowed, and what was decided. */
  #approval({ id }) {
    const run = this.#card(id)?.querySelector("details").dataset.permission;
    if (run) this.#ask("approval", run, id);
  }

  /** A question, of a server or of ours before a call, and what became of it. */
  async #ask(what, id, call) {
    const turn = (this.#asked.get(id) ?? 0) + 1;
    this.#asked.set(id, turn);
    const entry = await this.#question(id, what);
    const card = this.#card(call)?.closest("li");
    if (!entry || !card || turn !== this.#asked.get(id)) return;
    // It was asked for before the end, and is as it was then.
    if (this.#isOver && entry.querySelector('question-card[data-state="open"]')) return;
    entry.dataset.step = card.dataset.step;
    const old = this.#rail.querySelector(`question-card[data-${what}="${CSS.escape(id)}"]`)?.closest("li");
    const hadFocus = old?.contains(document.activeElement);
    if (old) old.replaceWith(entry);
    else card.after(entry);
    // The button that was pressed is gone: whoever has no mouse stays at the call.
    if (hadFocus) card.querySelector("summary")?.focus({ preventScroll: true });
    announce(this.#rail, "log-grown");
    this.#showWork();
  }

  /** Events are English; the server has all notices so far in the language of the page. */
  async #note() {
    const { run } = this.#rail.closest("run-stream").dataset;
    const drawn = await fragment(`/runs/${run}/`).catch(() => null);
    const notices = drawn?.querySelectorAll('.rail > .line[data-node="waiting"]') ?? [];
    for (const old of this.#rail.querySelectorAll(":scope > .line:not([data-working])")) old.remove();
    this.#rail.prepend(...notices);
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
    if (this.#isOver) return;
    const moving = '[data-node="running"]:not([data-working]), [data-node="waiting"]:has(tool-card, question-card)';
    const isMoving = this.#writer || this.#rail.querySelector(moving);
    const line = this.#rail.querySelector(":scope > [data-working]");
    if (isMoving) line?.remove();
    else if (!line) this.#rail.append(clone("working"));
  }
}

async function fetchQuestion(id, what) {
  const address = what === "input" ? `/inputs/${id}/` : `/tool-runs/${id}/approval/`;
  const drawn = await fragment(address).catch(() => null);
  return drawn?.firstElementChild;
}
