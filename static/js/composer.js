// The box: writing, sending once, stopping. A draft is kept until the server has the message.

import { post } from "./api.js";
import { announce, fit, randomName } from "./dom.js";
import * as drafts from "./drafts.js";

const IME_KEY_CODE = 229; // What browsers report while an input method is composing.
const isTouch = matchMedia("(hover: none) and (pointer: coarse)");

class ChatComposer extends HTMLElement {
  #isSending = false;
  #run = null;
  #key = null;
  #listening = null;

  connectedCallback() {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    this.form.addEventListener("submit", (event) => this.#submit(event), { signal });
    this.box.addEventListener("keydown", (event) => this.#press(event), { signal });
    this.box.addEventListener("input", () => this.#keep(), { signal });
    this.stopButton.addEventListener("click", (event) => this.#stop(event), { signal });
    document.addEventListener("run-changed", (event) => this.#watch(event.detail.run), { signal });
    document.addEventListener("suggestion", (event) => this.#suggest(event.detail), { signal });
    if (!this.box.value) this.#fill(drafts.read(this.conversation));
    fit(this.box);
    const isFree = !location.hash && !document.querySelector("[autofocus]");
    if (!isTouch.matches && isFree && document.activeElement === document.body) this.box.focus();
  }

  disconnectedCallback() {
    this.#listening.abort();
  }

  get form() {
    return this.querySelector("form");
  }

  get box() {
    return this.querySelector("textarea");
  }

  get stopButton() {
    return this.querySelector(".stop");
  }

  get conversation() {
    return this.closest("chat-conversation").dataset.conversation;
  }

  #press(event) {
    if (event.key !== "Enter" || event.shiftKey || isTouch.matches) return;
    if (event.isComposing || event.keyCode === IME_KEY_CODE) return;
    event.preventDefault();
    this.form.requestSubmit();
  }

  async #submit(event) {
    event.preventDefault();
    const text = this.box.value;
    if (!text.trim() || this.#isSending || this.#run?.isActive) return;
    this.#isSending = true;
    this.#complain("");
    this.#fill("");
    announce(this, "message-sent", { text });
    const from = this.conversation;
    try {
      const url = from ? `/api/conversations/${from}/messages/` : "/api/conversations/";
      // The same text sent again, because its answer got lost, is the same message.
      if (this.#key?.text !== text) this.#key = { text, value: randomName() };
      const question = {
        message: text,
        model_name: this.form.elements.model_name?.value,
        servers: this.querySelector("server-picker")?.chosen,
      };
      const started = await post(url, question, { "Idempotency-Key": this.#key.value });
      this.#key = null;
      drafts.write(from, "");
      announce(this, "message-accepted", started);
      drafts.write(this.conversation, this.box.value);
    } catch (error) {
      announce(this, "message-refused");
      if (!this.box.value) this.#fill(text);
      this.#complain(error.message);
    } finally {
      this.#isSending = false;
    }
  }

  #stop(event) {
    event.preventDefault();
    this.#run?.stop();
    this.#showStop(false);
    this.box.focus();
  }

  #watch(run) {
    this.#run = run;
    this.#showStop(run.isActive);
  }

  #showStop(isActive) {
    this.stopButton.hidden = !isActive;
    this.querySelector(".send").hidden = isActive;
  }

  #keep() {
    if (!this.#isSending) drafts.write(this.conversation, this.box.value);
    fit(this.box);
  }

  #fill(text) {
    this.box.value = text;
    fit(this.box);
  }

  #suggest({ text }) {
    this.#fill(text);
    this.#keep();
    this.box.focus();
  }

  #complain(sentence) {
    const problem = this.querySelector(".problem");
    problem.textContent = sentence;
    problem.hidden = !sentence;
  }
}

customElements.define("chat-composer", ChatComposer);
