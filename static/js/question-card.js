// A question of a tool's server: its form is sent without leaving the page.

import { ANSWER_MS, csrfToken, runState } from "./api.js";
import { t } from "./words.js";

class QuestionCard extends HTMLElement {
  connectedCallback() {
    this.addEventListener("submit", (event) => this.#send(event));
  }

  async #send(event) {
    event.preventDefault();
    const form = event.target;
    if (this.hasAttribute("aria-busy")) return;
    this.setAttribute("aria-busy", "true");
    const body = new FormData(form, event.submitter);
    body.set("csrfmiddlewaretoken", csrfToken());
    const signal = AbortSignal.timeout(ANSWER_MS);
    const options = { method: "POST", body, redirect: "manual", cache: "no-store", signal };
    // Not form.action: the buttons have that name.
    const response = await fetch(form.getAttribute("action"), options).catch(() => null);
    if (response?.type === "opaqueredirect") return this.#follow();
    const refused = response?.status === 400 && (await response.text().catch(() => ""));
    this.removeAttribute("aria-busy");
    if (refused) this.#show(refused);
    else this.#tell(form, t("The server could not be reached. What you wrote is kept; try again."));
  }

  /** Taken: the run goes on, and says so with an event. Or we are led to sign in, as runState is. */
  async #follow() {
    const { run } = this.closest("[data-run]")?.dataset ?? {};
    if (run) await runState(run).catch(() => null);
  }

  /** The same form with what has to be changed. */
  #show(page) {
    const found = new DOMParser().parseFromString(page, "text/html").querySelector(".question");
    if (!found) return;
    this.replaceChildren(found);
    this.querySelector("[aria-invalid]")?.focus();
  }

  #tell(form, sentence) {
    const line = form.querySelector(":scope > .problem") ?? document.createElement("p");
    line.className = "problem";
    line.role = "alert";
    line.textContent = sentence;
    form.append(line);
  }
}

customElements.define("question-card", QuestionCard);
