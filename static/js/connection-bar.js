// Says that the connection is lost, once that has lasted a moment, and counts down to the next try.

import { t } from "./words.js";

const PATIENCE_MS = 700;

class ConnectionBar extends HTMLElement {
  #showing = 0;
  #counting = 0;
  #retry = () => {};
  #until = 0;
  #listening = null;

  connectedCallback() {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    document.addEventListener("connection-lost", (event) => this.#lose(event.detail), { signal });
    document.addEventListener("connection-back", () => this.#restore(), { signal });
    document.addEventListener("run-changed", () => this.#restore(), { signal });
    this.querySelector("button").addEventListener("click", () => this.#retry(), { signal });
  }

  disconnectedCallback() {
    this.#listening.abort();
    this.#restore();
  }

  #lose({ wait, retry }) {
    this.#retry = retry;
    this.#until = Date.now() + wait;
    this.#showing ||= setTimeout(() => this.#show(), PATIENCE_MS);
    this.#count();
  }

  #show() {
    this.hidden = false;
    this.dataset.connection = "lost";
    this.#counting = setInterval(() => this.#count(), 500);
    this.#count();
  }

  #count() {
    const seconds = Math.ceil((this.#until - Date.now()) / 1000);
    const text = seconds > 0 ? t("Trying again in {seconds}\u00a0s.", { seconds }) : t("Trying again.");
    this.querySelector("[data-when]").textContent = text;
  }

  #restore() {
    clearTimeout(this.#showing);
    clearInterval(this.#counting);
    this.#showing = 0;
    this.hidden = true;
    delete this.dataset.connection;
  }
}

customElements.define("connection-bar", ConnectionBar);
