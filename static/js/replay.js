// "Replay", among the details of a finished answer. Without scripts there is no such button.

import { get } from "./api.js";
import { clone } from "./dom.js";
import { Player } from "./player.js";

class RunReplay extends HTMLElement {
  #isPlaying = false;

  connectedCallback() {
    if (this.firstElementChild) return;
    this.append(clone("replay"));
    this.addEventListener("click", (event) => event.target.closest("button") && this.#play());
  }

  async #play() {
    if (this.#isPlaying) return;
    this.#isPlaying = true;
    try {
      const { url } = this.dataset;
      const page = await get(`${url}?after=0`);
      await new Player(this.closest("run-stream"), url, page).play();
      this.querySelector("button").focus({ preventScroll: true });
    } catch (error) {
      this.querySelector(".problem").textContent = error.message;
      document.querySelector("[data-alert]")?.replaceChildren(error.message);
    } finally {
      this.#isPlaying = false;
    }
  }
}

customElements.define("run-replay", RunReplay);
