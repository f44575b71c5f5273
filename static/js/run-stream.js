// Follows one run until it is over, across lost connections. Draws nothing itself.

import { adopt } from "./adopt.js";
import { fragment, post, runState } from "./api.js";
import { announce } from "./dom.js";
import { RunView } from "./run-view.js";

const KINDS = [
  "content", "reasoning", "tool_calls", "tool_executing", "tool_progress", "tool_result",
  "approval_required", "approval_decided", "input_required", "input_given", "notice", "step_restarted", "done", "error",
];
const RETRY_MS = [250, 1000, 2000, 4000, 8000];
const ACTIVE = ["queued", "running", "awaiting_approval"];

class RunStream extends HTMLElement {
  #source = null;
  #view = null;
  #attempt = 0;
  #timer = 0;
  #isFrozen = false;

  get isActive() {
    return ACTIVE.includes(this.dataset.state);
  }

  connectedCallback() {
    if (!this.isActive || this.#view) return;
    this.#view = new RunView(this.querySelector(".rail"));
    if (this.dataset.run) this.follow(this.dataset.run);
  }

  disconnectedCallback() {
    this.#close();
  }

  follow(run) {
    this.dataset.run = run;
    announce(this, "run-changed", { run: this });
    this.#open();
  }

  /** Freeze the text at once, and tell the server. */
  async stop() {
    this.#isFrozen = true;
    try {
      await post(`/api/runs/${this.dataset.run}/cancellations/`);
    } catch {
      this.#isFrozen = false;
    }
  }

  #open() {
    this.#close();
    const after = this.dataset.lastEventId;
    this.#source = new EventSource(`/api/runs/${this.dataset.run}/events/?after=${after}`);
    this.#source.addEventListener("open", () => announce(this, "connection-back"));
    for (const kind of KINDS) {
      this.#source.addEventListener(kind, (event) => {
        // The browser's own connection errors arrive under the name "error" too, without data.
        if (event.data === undefined) this.#lose();
        else this.#receive(kind, Number(event.lastEventId), JSON.parse(event.data));
      });
    }
  }

  #close() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  #receive(kind, id, data) {
    if (id <= Number(this.dataset.lastEventId)) return;
    this.#attempt = 0;
    this.dataset.lastEventId = id;
    const isText = kind === "content" || kind === "reasoning";
    if (!(isText && this.#isFrozen)) this.#view.apply(kind, data);
    announce(this, "run-event", { kind, data });
    if (kind.startsWith("approval_")) this.dataset.state = this.#view.isAwaiting ? "awaiting_approval" : "running";
    if (kind === "done" || kind === "error") this.#end(stateAfter(kind, data));
  }

  async #end(state) {
    this.#close();
    this.#view.finish();
    this.dataset.state = state;
    const content = await fragment(`/runs/${this.dataset.run}/`).catch(() => null);
    const stored = content?.querySelector("run-stream");
    if (stored) adopt(this, stored, { isFrozen: this.#isFrozen });
    // It has its number now, and can be edited.
    const asked = this.closest("article")?.previousElementSibling;
    if (stored && !asked.dataset.message) asked.replaceWith(content.querySelector('[data-role="user"]'));
    announce(this, "run-changed", { run: this });
  }

  /** We reopen it ourselves: browsers give up for good on some answers, and wait 3 s on others. */
  #lose() {
    this.#close();
    const wait = RETRY_MS[Math.min(this.#attempt, RETRY_MS.length - 1)];
    this.#attempt += 1;
    this.#timer = setTimeout(() => this.#retry(), wait);
    announce(this, "connection-lost", { wait, retry: () => this.#retry() });
  }

  async #retry() {
    this.#close();
    try {
      const run = await runState(this.dataset.run);
      const isAllHere = run && run.last_event_id === Number(this.dataset.lastEventId);
      if (run === null) this.#end("interrupted");
      else if (isAllHere && !ACTIVE.includes(run.status)) this.#end(run.status);
      else this.#open();
    } catch {
      if (this.isConnected) this.#lose();
    }
  }
}

function stateAfter(kind, data) {
  if (kind === "error") return data.code === "INTERRUPTED" ? "interrupted" : "failed";
  return data.finish_reason === "cancelled" ? "cancelled" : "completed";
}

customElements.define("run-stream", RunStream);
