// A time of day where the reader is; the server prints its own.

import { language } from "./words.js";

class LocalTime extends HTMLElement {
  static observedAttributes = ["datetime"];

  attributeChangedCallback() {
    const time = new Date(this.getAttribute("datetime"));
    if (Number.isNaN(time.getTime())) return;
    const digits = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
    if ("seconds" in this.dataset) digits.second = "2-digit";
    const day = { year: "numeric", month: "short", day: "numeric" };
    this.textContent =
      "date" in this.dataset
        ? time.toLocaleString(language, { ...day, ...digits })
        : time.toLocaleTimeString(language, digits);
  }
}

customElements.define("local-time", LocalTime);
