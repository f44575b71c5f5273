// Which servers' tools are used from the next message on.

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

  #count() {
    const count = this.#boxes(":checked").reduce((sum, box) => sum + Number(box.dataset.tools), 0);
    this.querySelector("[data-count]").textContent = `${count} tool${count === 1 ? "" : "s"}`;
  }
}

customElements.define("server-picker", ServerPicker);
