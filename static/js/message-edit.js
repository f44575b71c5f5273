// The form in which a question is changed. Refused, it stays as it is and says why; what was
// written is kept until the server has it, or somebody cancels.

import { post } from "./api.js";
import { edits, keyed } from "./drafts.js";

class MessageEdit extends HTMLElement {
  connectedCallback() {
    this.box.value = edits.read(this.question)?.text ?? this.box.value;
    this.addEventListener("input", () => edits.write(this.question, { text: this.box.value }));
    this.querySelector("a").addEventListener("click", () => edits.write(this.question, null));
    this.addEventListener("submit", (event) => this.#send(event));
  }

  get box() {
    return this.querySelector("textarea");
  }

  get question() {
    return this.querySelector("[name=replaces]").value;
  }

  async #send(event) {
    event.preventDefault();
    if (this.hasAttribute("aria-busy")) return;
    this.setAttribute("aria-busy", "true");
    this.#complain("");
    const { conversation } = this.closest("chat-conversation").dataset;
    const { text, key } = keyed(this.box.value, edits.read(this.question));
    edits.write(this.question, { text, key });
    const question = { message: text, replaces: Number(this.question) };
    try {
      await post(`/api/conversations/${conversation}/messages/`, question, { "Idempotency-Key": key });
      edits.write(this.question, null);
      location.assign(`/c/${conversation}/`);
    } catch (error) {
      this.removeAttribute("aria-busy");
      this.#complain(error.message);
    }
  }

  #complain(sentence) {
    const problem = this.querySelector(".problem");
    problem.textContent = sentence;
    problem.hidden = !sentence;
  }
}

customElements.define("message-edit", MessageEdit);
