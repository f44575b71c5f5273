// Asks how a run is doing where its stream says nothing for long: a network can be gone without a
// word, and the server's signs of life are for the connection, not for scripts.

import { runState } from "./api.js";

const QUIET_MS = 20_000;
const HIDDEN_QUIET_MS = 60_000;
const STATE_MS = 5000;

export class QuietWatch {
  #stream;
  #lose;
  #timer = 0;
  #listening = null;

  /** `lose` is called where `stream` hears nothing though there is something to hear. */
  constructor(stream, lose) {
    this.#stream = stream;
    this.#lose = lose;
  }

  /** From now on, until `end`. */
  begin() {
    this.end();
    this.#listening = new AbortController();
    window.addEventListener("online", () => this.#look(), { signal: this.#listening.signal });
    this.heard();
  }

  heard() {
    clearTimeout(this.#timer);
    const quiet = document.hidden ? HIDDEN_QUIET_MS : QUIET_MS;
    this.#timer = setTimeout(() => this.#look(), quiet);
  }

  end() {
    clearTimeout(this.#timer);
    this.#listening?.abort();
  }

  async #look() {
    const { signal } = this.#listening;
    const { run, lastEventId } = this.#stream.dataset;
    const state = await runState(run, STATE_MS).catch(() => undefined);
    // Something was heard meanwhile, or it is over.
    if (signal.aborted || lastEventId !== this.#stream.dataset.lastEventId) return;
    if (state?.last_event_id === Number(lastEventId)) this.heard();
    else this.#lose();
  }
}
