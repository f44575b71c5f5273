// Follows one run until it is over, across lost connections. Draws nothing itself.

import { adopt } from "./adopt.js";
import { fragment, insist, runState } from "./api.js";
import { announce } from "./dom.js";
import { QuietWatch } from "./quiet-watch.js";
import { RunView } from "./run-view.js";

const KINDS = [
  "content", "reasoning", "tool_calls", "tool_executing", "tool_progress", "tool_result",
  "approval_required", "approval_decided", "input_required", "input_given", "notice", "step_restarted", "done", "error",
];
const RETRY_MS = [250, 1000, 2000, 4000, 8000];
const TEXT = ["content", "reasoning"];
const ENDS = ["done", "error"];
const ACTIVE = ["queued", "running", "awaiting_approval"];

class RunStream extends HTMLElement {
  #source = null;
  #view = null;
  #line = 0; // Which connection it is: what was asked for an older one does not matter.
  #attempt = 0;
  #timer = 0;
  #quiet = new QuietWatch(this, () => this.#lose());
  #held = null; // What came since it was told to stop.

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

  /** Freeze the text at once, and tell the server. Rejects where it goes on, not being told. */
  async stop() {
    this.#held = [];
    this.#view.flush();
    try {
      await insist(`/api/runs/${this.dataset.run}/cancellations/`);
    } catch (error) {
      if (!this.isActive) return;
      this.#thaw();
      throw error;
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
    this.#quiet.begin();
  }

  #close() {
    this.#line += 1;
    clearTimeout(this.#timer);
    this.#quiet.end();
    this.#source?.close();
    this.#source = null;
  }

  #receive(kind, id, data) {
    if (id <= Number(this.dataset.lastEventId)) return;
    this.#attempt = 0;
    this.#quiet.heard();
    this.dataset.lastEventId = id;
    const isEnd = ENDS.includes(kind);
    // What comes after text that is held back belongs below it.
    const isHeld = this.#held?.length || (this.#held && TEXT.includes(kind));
    if (isHeld && !isEnd) this.#held.push([kind, data]);
    else this.#show(kind, data);
    if (isEnd) this.#end(stateAfter(kind, data));
  }

  #show(kind, data) {
    this.#view.apply(kind, data);
    announce(this, "run-event", { kind, data });
    if (kind.startsWith("approval_")) this.dataset.state = this.#view.isAwaiting ? "awaiting_approval" : "running";
  }

  /** It was not stopped: what was held back is shown. */
  #thaw() {
    const held = this.#held ?? [];
    this.#held = null;
    for (const [kind, data] of held) this.#show(kind, data);
  }

  #end(state) {
    this.#close();
    if (state !== "cancelled") this.#thaw();
    this.#view.finish();
    this.dataset.state = state;
    this.#adopt();
  }

  /** Put the server's rendering in place; once more later, where it cannot be had now. */
  async #adopt(attempt = 0) {
    const line = this.#line;
    const content = await fragment(`/runs/${this.dataset.run}/`).catch(() => undefined);
    if (line !== this.#line) return;
    if (content === undefined) this.#timer = setTimeout(() => this.#adopt(attempt + 1), pause(attempt));
    else if (content) adopt(this, content, { isFrozen: this.#held !== null });
    const isLast = !this.closest("article").nextElementSibling;
    if (attempt === 0 || (content && isLast)) announce(this, "run-changed", { run: this });
  }

  /** We reopen it ourselves: browsers give up for good on some answers, and wait 3 s on others. */
  #lose() {
    this.#close();
    const wait = pause(this.#attempt);
    this.#attempt += 1;
    this.#timer = setTimeout(() => this.#retry(), wait);
    announce(this, "connection-lost", { wait, retry: () => this.#retry() });
  }

  async #retry() {
    this.#close();
    const line = this.#line;
    try {
      const run = await runState(this.dataset.run);
      if (line !== this.#line) return;
      const isAllHere = run && run.last_event_id === Number(this.dataset.lastEventId);
      if (run === null) this.#end("interrupted");
      else if (isAllHere && !ACTIVE.includes(run.status)) this.#end(run.status);
      else this.#open();
    } catch {
      if (line === this.#line) this.#lose();
    }
  }
}

function pause(attempt) {
  return RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)];
}

function stateAfter(kind, data) {
  if (kind === "error") return data.code === "INTERRUPTED" ? "interrupted" : "failed";
  return data.finish_reason === "cancelled" ? "cancelled" : "completed";
}

customElements.define("run-stream", RunStream);
