// The open conversation: shows what is sent at once, and runs that other tabs have started.

import { fragment } from "./api.js";
import { announce, clone } from "./dom.js";

class ChatConversation extends HTMLElement {
  #sent = null; // The turn that the server has not accepted yet.
  #missed = []; // Runs announced meanwhile; one of them may be ours.
  #listening = null;
  #path = ""; // What is shown.

  connectedCallback() {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    this.addEventListener("message-sent", (event) => this.#send(event.detail), { signal });
    this.addEventListener("message-accepted", (event) => this.#accept(event.detail), { signal });
    this.addEventListener("message-refused", () => this.#refuse(), { signal });
    this.addEventListener("run-changed", (event) => this.#remember(event.detail.run), { signal });
    document.addEventListener("conversation-moved", (event) => this.#move(event.detail), { signal });
    document.addEventListener("conversation-missed", () => this.#fetchMissed(), { signal });
    // Not for a jump within the page, which is a "popstate" too.
    this.#path = location.pathname;
    window.addEventListener("popstate", () => {
      if (location.pathname !== this.#path) location.reload();
    }, { signal });
  }

  disconnectedCallback() {
    this.#listening.abort();
  }

  #send({ text, isAutomatic }) {
    const said = clone("said");
    said.querySelector("[data-content]").textContent = text;
    const answer = clone("answer");
    this.#sent = [said, answer];
    this.querySelector(".empty")?.setAttribute("hidden", "");
    // Trying again is for the last answer only.
    for (const form of this.querySelectorAll(".oops form, [data-go-on]")) form.remove();
    this.querySelector(".log").append(said, answer);
    // Whoever has scrolled up to read goes on reading.
    if (!isAutomatic) announce(this, "log-grown");
  }

  #accept({ conversation_id, run_id, model_name }) {
    if (!this.dataset.conversation) {
      this.dataset.conversation = conversation_id;
      history.pushState({}, "", `/c/${conversation_id}/`);
      this.#path = location.pathname;
    }
    const chip = document.querySelector("[data-model-name]");
    if (chip) chip.textContent = model_name;
    const [, answer] = this.#sent;
    if (location.search || location.hash) history.replaceState({}, "", location.pathname);
    // The server had it already, under the same key.
    if (this.#find(run_id)) {
      this.#withdraw();
      return;
    }
    this.#sent = null;
    answer.dataset.message = run_id;
    answer.querySelector("run-stream").follow(run_id);
    this.#catchUp();
  }

  #refuse() {
    this.#withdraw();
    if (!this.dataset.conversation) this.querySelector(".empty")?.removeAttribute("hidden");
  }

  #withdraw() {
    for (const element of this.#sent ?? []) element.remove();
    this.#sent = null;
    this.#catchUp();
  }

  #catchUp() {
    for (const detail of this.#missed.splice(0)) this.#move(detail);
  }

  async #move(detail) {
    if (this.#sent) {
      this.#missed.push(detail);
      return;
    }
    if (detail.id !== this.dataset.conversation) return;
    // A run says what the chat was called when it began.
    if (!["running", "finished"].includes(detail.state)) this.#entitle(detail.title);
    if (!detail.run_id || this.#find(detail.run_id)) return;
    const turn = await fragment(`/runs/${detail.run_id}/`).catch(() => null);
    if (!turn || this.#find(detail.run_id)) return;
    const last = [...this.querySelectorAll("run-stream")].at(-1)?.dataset.run ?? "";
    // On another branch than the one that is shown: the server shows it.
    if (turn.querySelector("[data-follows]").dataset.follows !== last) location.assign(`/c/${detail.id}/`);
    else this.querySelector(".log").append(turn);
  }

  /** What began here while no announcement reached us. */
  async #fetchMissed() {
    const runs = [...this.querySelectorAll("run-stream")];
    if (this.#sent || runs.some((run) => run.isActive)) return;
    const page = await fragment(location.pathname).catch(() => null);
    const last = page?.querySelector(`[data-run="${runs.at(-1)?.dataset.run}"]`)?.closest("article");
    if (!page || this.#sent) return;
    if (!last) {
      location.reload();
      return;
    }
    const turns = [...last.parentElement.children];
    this.querySelector(".log").append(...turns.slice(turns.indexOf(last) + 1));
  }

  /** The newest answer says how many turns the model was shown, if not all. */
  #remember(run) {
    const last = [...this.querySelectorAll("run-stream")].at(-1);
    if (run.isActive || run !== last) return;
    this.querySelector(".memory")?.remove();
    const asked = this.querySelectorAll('.log > [data-role="user"]');
    const first = asked[asked.length - Number(run.dataset.turnsRemembered)];
    first?.before(clone("memory"));
  }

  #find(run) {
    return this.querySelector(`[data-run="${CSS.escape(run)}"]`);
  }

  #entitle(title) {
    document.querySelector(".top h1").textContent = title;
    announce(this, "title-changed");
  }
}

customElements.define("chat-conversation", ChatConversation);
