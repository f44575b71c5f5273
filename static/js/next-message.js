// The one message that waits for the answer to end. Kept like a draft; shown above the box.

import { announce } from "./dom.js";
import { followUps } from "./drafts.js";

class NextMessage extends HTMLElement {
  #conversation = "";
  #isByHand = false;
  #listening = null;

  connectedCallback() {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    this.addEventListener("click", (event) => this.#press(event), { signal });
    // Another tab has changed it, or is about to send it.
    window.addEventListener("storage", (event) => {
      if (followUps.isAbout(event, this.#conversation)) this.#show();
    }, { signal });
  }

  disconnectedCallback() {
    this.#listening.abort();
  }

  get isFree() {
    return !followUps.read(this.#conversation);
  }

  /** What is kept for this conversation; `isByHand`: no answer is running that it could wait for. */
  open(conversation, { isByHand }) {
    this.#conversation = conversation;
    this.#isByHand = isByHand;
    // If it was on its way when the page was left, it is sent again under the same key.
    const kept = followUps.read(conversation);
    this.put(kept && { ...kept, isSent: false });
  }

  /** The conversation has begun: what was kept for a new one is of this one now. */
  move(conversation) {
    const kept = followUps.read(this.#conversation);
    followUps.write(this.#conversation, null);
    this.#conversation = conversation;
    if (kept) this.put(kept);
  }

  put(message) {
    followUps.write(this.#conversation, message);
    this.#show();
  }

  /** From now on it is for whoever presses the button. */
  hold(isByHand = true) {
    this.#isByHand = isByHand;
    this.#show();
  }

  /** The message, to be sent now; null where there is none, or another tab was first. */
  claim() {
    const kept = followUps.read(this.#conversation);
    if (!kept || kept.isSent) return null;
    this.put({ ...kept, isSent: true });
    return kept;
  }

  #press({ target }) {
    const what = target.closest("button")?.dataset.do;
    if (!what) return;
    const kept = followUps.read(this.#conversation);
    if (what !== "ask") this.put(null);
    if (kept) announce(this, `next-${what}`, kept);
  }

  #show() {
    const kept = followUps.read(this.#conversation);
    this.hidden = !kept || kept.isSent;
    this.querySelector("[data-text]").textContent = kept?.text.slice(0, 300) ?? "";
    this.querySelector("[data-when]").hidden = this.#isByHand;
    this.querySelector('[data-do="ask"]').hidden = !this.#isByHand;
  }
}

customElements.define("next-message", NextMessage);
