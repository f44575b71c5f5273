// The browser's own notifications, for whoever wants them in this browser: only while the tab is
// hidden, and only of the conversation in it. Asked for by a click, never before.

import { t } from "./words.js";

const NAME = `notify:${document.body.dataset.owner}`;
// Not over plain HTTP.
const isThere = isSecureContext && "Notification" in window;

/** Say it, if the person is elsewhere and wants to be told. */
export function notify(sentence) {
  if (!document.hidden || !isOn()) return;
  const title = document.querySelector(".top h1").textContent;
  try {
    // One per conversation, however many tabs show it.
    const notification = new Notification(title, { body: sentence, tag: location.pathname });
    notification.addEventListener("click", () => {
      window.focus();
      notification.close();
    });
  } catch {
    // Browsers of phones show none that come from a page.
  }
}

function isOn() {
  if (!isThere || Notification.permission !== "granted") return false;
  try {
    return localStorage.getItem(NAME) === "on";
  } catch {
    return false;
  }
}

class NotifySwitch extends HTMLElement {
  connectedCallback() {
    this.closest("section").hidden = !isThere;
    const box = this.querySelector("input");
    box.checked = isOn();
    box.addEventListener("change", () => this.#choose(box));
  }

  async #choose(box) {
    const isWanted = box.checked;
    const isAllowed = !isWanted || (await Notification.requestPermission()) === "granted";
    try {
      localStorage.setItem(NAME, isWanted && isAllowed ? "on" : "off");
    } catch {
      // Then it cannot be remembered, and stays off.
    }
    box.checked = isOn();
    this.querySelector(".problem").textContent =
      isWanted && !box.checked ? t("The browser does not allow it; its settings for this site can change that.") : "";
  }
}

customElements.define("notify-switch", NotifySwitch);
