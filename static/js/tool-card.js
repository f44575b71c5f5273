// The card of one tool call, while it lives. It never opens or closes by itself.

import { attachment } from "./attachments.js";
import { now } from "./dom.js";
import { asText, duration, peek, size } from "./format.js";
import { decimal, t } from "./words.js";

const TICK_MS = 100;
const SHOWN_CHARACTERS = 20_000;

class ToolCard extends HTMLElement {
  #began = 0;
  #timer = 0;

  connectedCallback() {
    const { state, started } = this.#card.dataset;
    const ongoing = '[data-run]:is([data-state="running"], [data-state="awaiting_approval"])';
    if (state === "running" && this.closest(ongoing)) {
      this.#run(started ? Number(started) * 1000 : now(this));
    }
  }

  disconnectedCallback() {
    clearInterval(this.#timer);
  }

  get #card() {
    return this.querySelector("details");
  }

  get hasEnded() {
    return !["requested", "awaiting_approval", "running"].includes(this.#card.dataset.state);
  }

  begin(call) {
    this.#card.dataset.toolRun = call.id;
    this.#card.dataset.tool = call.name;
    this.#set(".what", call.title || call.name);
    this.#set(".peek", peek(call.arguments));
    this.#set(".call-id", call.id);
    const link = this.querySelector(".log-link");
    if (link) link.search = new URLSearchParams({ q: call.id });
    const pairs = call.invalid_arguments
      ? [[t("not valid"), call.invalid_arguments]]
      : Object.entries(call.arguments);
    this.querySelector("[data-arguments]").replaceChildren(...pairs.flatMap(pair));
    this.#enter("requested");
  }

  approval_required({ tool_run_id }) {
    this.#card.dataset.permission = tool_run_id;
    this.#enter("awaiting_approval");
  }

  approval_decided() {
    this.#enter("requested");
  }

  tool_executing() {
    this.#enter("running");
    this.#card.dataset.started = Math.floor(now(this) / 1000);
    const started = this.querySelector(".started");
    started.hidden = false;
    started.querySelector("local-time").setAttribute("datetime", new Date(now(this)).toISOString());
    this.#run(now(this));
  }

  tool_progress({ progress, total, message }) {
    const share = total ? `${Math.round((100 * progress) / total)} %` : "";
    this.#set(".peek", [message, share].filter(Boolean).join(" · ") || String(progress));
  }

  tool_result({ result, outcome, duration_ms, bytes, attachments = [] }) {
    this.rest();
    this.#enter(outcome);
    this.#card.dataset.duration = duration_ms;
    // Nobody knows when a lost one ended.
    this.#set(".took", outcome === "lost" ? "" : duration(duration_ms));
    this.#set("[data-result]", result.slice(0, SHOWN_CHARACTERS));
    this.#set(".size", size(bytes));
    const tool = this.querySelector(".what").textContent;
    const entries = attachments.map((reference) => attachment(reference, tool));
    this.querySelector(".attachments").replaceChildren(...entries);
    for (const part of this.querySelectorAll(".ended, .size")) part.hidden = false;
  }

  /** Stop the clock. */
  rest() {
    clearInterval(this.#timer);
  }

  #run(began) {
    this.rest();
    this.#began = began;
    this.#timer = setInterval(() => {
      this.#set(".took", `${decimal((now(this) - this.#began) / 1000, 1)} s`);
    }, TICK_MS);
  }

  #enter(state) {
    const states = JSON.parse(document.getElementById("tool-run").dataset.states);
    const [node, word] = states[state] ?? ["failed", state];
    this.#card.dataset.state = state;
    this.closest(".step").dataset.node = node;
    this.#set(".word", word);
    this.querySelector(".finished").hidden = state !== "ok";
  }

  #set(selector, text) {
    this.querySelector(selector).textContent = text;
  }
}

function pair([name, value]) {
  const term = document.createElement("dt");
  const definition = document.createElement("dd");
  term.textContent = name;
  definition.textContent = asText(value);
  definition.dir = "auto";
  return [term, definition];
}

customElements.define("tool-card", ToolCard);
