// Buttons that copy: a message as markdown, a result, a block of code. Without scripts there are
// none, because they could do nothing.

import { clone } from "./dom.js";
import { t } from "./words.js";

const SAID_MS = 2000;

class CopyButton extends HTMLElement {
  connectedCallback() {
    if (this.firstElementChild) return;
    const isLabelled = this.dataset.copies === "message" && this.closest("run-stream");
    const button = clone(isLabelled ? "copy-label" : "copy-square");
    button.setAttribute("aria-label", this.label);
    button.title = this.label;
    button.addEventListener("click", () => this.#copy(button));
    this.append(button);
  }

  get label() {
    return this.dataset.copies === "result" ? t("Copy result") : t("Copy");
  }

  get text() {
    if (this.dataset.copies === "token") return this.previousElementSibling.textContent;
    if (this.dataset.copies === "result") return textOf(this.closest(".body"), "[data-result], .rest pre");
    const message = this.closest("[data-message]");
    const written = [...message.querySelectorAll("[data-markdown]")];
    if (message.dataset.role === "user") return textOf(message, "[data-content]");
    return written.map((entry) => entry.dataset.markdown.trim()).join("\n\n");
  }

  async #copy(button) {
    await write(this.text);
    button.classList.add("copied");
    button.title = t("Copied");
    setTimeout(() => {
      button.classList.remove("copied");
      button.title = this.label;
    }, SAID_MS);
  }
}

class CopyCode extends CopyButton {
  get label() {
    return t("Copy code");
  }

  get text() {
    return textOf(this.closest(".code"), "code");
  }
}

function textOf(element, selector) {
  return [...element.querySelectorAll(selector)].map((found) => found.textContent).join("");
}

async function write(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Over plain HTTP, as in many a local network, browsers offer no clipboard but this.
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

customElements.define("copy-button", CopyButton);
customElements.define("copy-code", CopyCode);
