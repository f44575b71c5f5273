// "Replay", among the details of a finished answer. Without scripts there is no such button.

import { get } from "./api.js";
import { clone } from "./dom.js";
import { Player } from "./player.js";

class RunReplay extends HTMLElement {
  #player = null;

  connectedCallback() {
    if (this.firstElementChild) return;
    this.append(clone("replay"));
    this.addEventListener("click", (event) => event.target.closest("button") && this.#play());
  }

  async #play() {
    if (this.#player) return;
    try {
      const { url } = this.dataset;
      this.#player = new Player(this.closest("run-stream"), url, await get(`${url}?after=0`));
      await this.#player.play();
      this.querySelector("button").focus({ preventScroll: true });
    } catch (error) {
      this.querySelector(".problem").textContent = error.message;
      document.querySelector("[data-alert]")?.replaceChildren(error.message);
    } finally {
      this.#player = null;
    }
  }
}

customElements.define("run-replay", RunReplay);
