// Which servers' tools are used from the next message on.

import { t, tn } from "./words.js";

class ServerPicker extends HTMLElement {
  connectedCallback() {
    this.addEventListener("change", () => this.#count());
  }

  /** The slugs that are on. */
  get chosen() {
    return this.#boxes(":checked").map((box) => box.value);
  }

  #boxes(selector = "") {
    return [...this.querySelectorAll(`[name=servers]${selector}`)];
  }

  /** How many tools that makes, unless it is not known of all of them. */
  #count() {
    const counts = this.#boxes(":checked").map((box) => box.dataset.tools);
    const sum = counts.reduce((total, count) => total + Number(count), 0);
    const text = counts.includes("") ? t("Tools") : tn("{count} tool", "{count} tools", sum);
    this.querySelector("[data-count]").textContent = text;
  }
}

customElements.define("server-picker", ServerPicker);
