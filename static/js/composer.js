// The box: writing, sending once, stopping. A draft is kept until the server has the message; what
// is sent while an answer runs waits for its end.

import { post } from "./api.js";
import { announce, fit } from "./dom.js";
import { drafts, followUps, keyed } from "./drafts.js";
import { LengthLimit } from "./length-limit.js";
import "./next-message.js";
import { t } from "./words.js";

const IME_KEY_CODE = 229; // What browsers report while an input method is composing.
const isTouch = matchMedia("(hover: none) and (pointer: coarse)");
const ONE_WAITS = t("One message is waiting already. Change or remove it first.");

class ChatComposer extends HTMLElement {
  #isSending = false;
  #run = null;
  #stopped = null; // The run that was told to stop.
  #isUrgent = false; // What waits was written after that: it waits for any end.
  #limit = null;
  #listening = null;

  connectedCallback() {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    this.#limit = new LengthLimit(this);
    this.form.addEventListener("submit", (event) => this.#submit(event), { signal });
    this.box.addEventListener("keydown", (event) => this.#press(event), { signal });
    this.box.addEventListener("input", () => this.#keep(), { signal });
    this.stopButton.addEventListener("click", (event) => this.#stop(event), { signal });
    this.addEventListener("next-ask", () => this.#askNext(), { signal });
    this.addEventListener("next-change", (event) => this.#takeBack(event.detail), { signal });
    this.addEventListener("next-remove", () => this.box.focus(), { signal });
    document.addEventListener("run-changed", (event) => this.#watch(event.detail.run), { signal });
    document.addEventListener("suggestion", (event) => this.#suggest(event.detail), { signal });
    this.#restore();
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

  get next() {
    return this.querySelector("next-message");
  }

  get conversation() {
    return this.closest("chat-conversation").dataset.conversation;
  }

  get #isAnswering() {
    return this.#isSending || Boolean(this.#run?.isActive);
  }

  /** What was on its way when the page was left is there, or is a draft still. */
  #restore() {
    const asked = [...document.querySelectorAll('[data-role="user"] [data-content]')].at(-1);
    for (const kept of [drafts, followUps]) {
      const { key, text } = kept.read(this.conversation) ?? {};
      if (key && text === asked?.textContent) kept.write(this.conversation, null);
    }
    this.#fill(this.box.value || drafts.read(this.conversation)?.text || "");
    this.next.open(this.conversation, { isByHand: this.stopButton.hidden });
  }

  #press(event) {
    if (event.key !== "Enter" || event.shiftKey || isTouch.matches) return;
    if (event.isComposing || event.keyCode === IME_KEY_CODE) return;
    event.preventDefault();
    this.form.requestSubmit();
  }

  #submit(event) {
    event.preventDefault();
    const text = this.box.value;
    if (!text.trim()) return;
    const isTaken = this.#isAnswering && !this.next.isFree;
    const problem = this.#limit.problem || (isTaken ? ONE_WAITS : "");
    this.#complain(problem);
    if (problem) return;
    const message = keyed(text, drafts.read(this.conversation));
    this.#fill("");
    if (this.#isAnswering) {
      drafts.write(this.conversation, null);
      this.#isUrgent = !this.#isSending && this.#stopped === this.#run;
      this.next.put(message);
    } else {
      drafts.write(this.conversation, message);
      this.#send(message, drafts, () => this.#giveBack(text));
    }
  }

  /** Send what is kept on the shelf `from`; `refused` is called where it could not be sent. */
  async #send({ text, key }, from, refused) {
    const before = this.conversation;
    this.#isSending = true;
    announce(this, "message-sent", { text, isAutomatic: from === followUps });
    try {
      const url = before ? `/api/conversations/${before}/messages/` : "/api/conversations/";
      const question = {
        message: text,
        model_name: this.form.elements.model_name?.value,
        servers: this.querySelector("server-picker")?.chosen,
      };
      const started = await post(url, question, { "Idempotency-Key": key });
      this.#isSending = false;
      from.write(before, null);
      announce(this, "message-accepted", started);
      if (!before) this.next.move(this.conversation);
      this.#keep();
    } catch (error) {
      this.#isSending = false;
      announce(this, "message-refused");
      refused();
      this.#keep();
      this.#complain(error.message);
    }
  }

  /** The message that waited, on its own or by the button. */
  #askNext() {
    this.#isUrgent = false;
    const message = this.#isAnswering ? null : this.next.claim();
    if (!message) return;
    this.#complain("");
    this.#send(message, followUps, () => {
      this.next.put(message);
      this.next.hold();
    });
  }

  #giveBack(text) {
    const written = this.box.value;
    this.#fill(written ? `${text}\n\n${written}` : text);
    this.next.hold();
  }

  #takeBack(message) {
    const written = this.box.value;
    // With its key: it may have been sent already, and only the answer to that got lost.
    if (!written) drafts.write(this.conversation, message);
    this.#fill(written ? `${message.text}\n\n${written}` : message.text);
    this.#keep();
    this.box.focus();
  }

  async #stop(event) {
    event.preventDefault();
    this.#stopped = this.#run;
    this.#complain("");
    this.#showStop(false);
    this.box.focus();
    try {
      await this.#run?.stop();
    } catch (error) {
      this.#stopped = null;
      this.#showStop(true);
      this.#complain(`${t("The answer could not be stopped.")} ${error.message}`);
    }
  }

  #watch(run) {
    const isLast = !this.#run?.isActive || run === this.#run;
    if (!isLast) return;
    this.#run = run;
    this.#showStop(run.isActive);
    if (run.isActive) this.next.hold(false);
    else if (run.dataset.state === "completed" || this.#isUrgent) this.#askNext();
    else this.next.hold();
  }

  #showStop(isActive) {
    this.stopButton.hidden = !isActive;
    this.querySelector(".send").hidden = isActive && !this.box.value.trim();
  }

  #keep() {
    const text = this.box.value;
    const kept = drafts.read(this.conversation);
    if (!this.#isSending && kept?.text !== text) drafts.write(this.conversation, { text });
    this.#complain("");
    this.#size();
  }

  #fill(text) {
    this.box.value = text;
    this.#size();
  }

  #size() {
    fit(this.box);
    this.#limit.show();
    this.#showStop(!this.stopButton.hidden);
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
