// Plays a finished answer again from its stored events, through the code that drew it live. The
// answer's own rail is set aside meanwhile, and put back as it was.

import { get } from "./api.js";
import { clone } from "./dom.js";
import { RunView } from "./run-view.js";
import { t } from "./words.js";

const FAST = 4;
const STILL_MS = 1000; // Where motion is not wanted, it goes on in steps of this.
const LONGEST_WAIT_MS = 10_000; // Nobody waits again for what somebody else waited for.
const isCalm = matchMedia("(prefers-reduced-motion: reduce)");

export class Player {
  #stream;
  #url;
  #rail;
  #stage;
  #bar;
  #view;
  #page;
  #isLoading = false;
  #position = 0; // Milliseconds since the run began.
  #last = 0;
  #speed = 1;
  #isPaused = false;
  #ended;

  /** `page` is the first one of the events at `url`. */
  constructor(stream, url, page) {
    this.#stream = stream;
    this.#url = url;
    this.#page = page;
    this.#rail = stream.querySelector(".rail");
    this.#stage = this.#rail.cloneNode(false);
    this.#bar = clone("player");
  }

  /** Resolves when all of it was played, or somebody stopped it. */
  play() {
    const began = Date.parse(this.#page.began);
    this.#stream.clock = () => began + this.#position;
    this.#stage.style.minHeight = `${this.#rail.offsetHeight}px`;
    this.#rail.replaceWith(this.#stage);
    this.#stream.prepend(this.#bar);
    this.#stream.querySelector(".actions")?.setAttribute("hidden", "");
    this.#view = new RunView(this.#stage, (id, what) => this.#question(id, what));
    this.#bar.querySelector("progress").max = Math.max(1, this.#page.total_ms);
    this.#bar.addEventListener("click", ({ target }) => this.#press(target.closest("button")));
    this.#bar.addEventListener("keydown", (event) => this.#leave(event));
    this.#bar.querySelector('[data-do="stop"]').focus({ preventScroll: true });
    this.#stream.scrollIntoView({ block: "start" });
    this.#last = performance.now();
    this.#wait();
    return new Promise((resolve) => {
      this.#ended = resolve;
    });
  }

  stop() {
    if (!this.#ended) return;
    this.#view.finish();
    this.#stage.replaceWith(this.#rail);
    this.#bar.remove();
    this.#stream.querySelector(".actions")?.removeAttribute("hidden");
    delete this.#stream.clock;
    this.#ended();
    this.#ended = null;
  }

  #press(button) {
    switch (button?.dataset.do) {
      case "pause":
        this.#isPaused = !this.#isPaused;
        button.textContent = this.#isPaused ? t("Go on") : t("Pause");
        break;
      case "fast":
        this.#speed = this.#speed === 1 ? FAST : 1;
        button.setAttribute("aria-pressed", String(this.#speed === FAST));
        break;
      case "stop":
        this.stop();
    }
  }

  #leave(event) {
    if (event.key !== "Escape") return;
    event.preventDefault();
    this.stop();
  }

  #wait() {
    if (isCalm.matches) setTimeout(() => this.#go(), STILL_MS);
    else requestAnimationFrame(() => this.#go());
  }

  #go() {
    if (!this.#ended) return;
    if (!this.#stream.isConnected) this.stop();
    // A tab that nobody sees draws nothing: it goes on where it was.
    const passed = Math.min(performance.now() - this.#last, 2 * STILL_MS);
    this.#last = performance.now();
    const { events, next } = this.#page;
    if (!this.#isPaused && events.length) this.#position += passed * this.#speed;
    while (events[0]?.at_ms <= this.#position) {
      const { event, data } = events.shift();
      this.#view.apply(event, data);
    }
    if (events.length) this.#position = Math.max(this.#position, events[0].at_ms - LONGEST_WAIT_MS);
    this.#bar.querySelector("progress").value = this.#position;
    if (!events.length && next === null) this.stop();
    else if (!events.length) this.#load(next);
    if (this.#ended) this.#wait();
  }

  async #load(after) {
    if (this.#isLoading) return;
    this.#isLoading = true;
    try {
      this.#page = await get(`${this.#url}?after=${after}`);
    } catch {
      this.stop();
    }
    this.#isLoading = false;
  }

  /** As it stands there: nobody is asked again. */
  #question(id, what) {
    const drawn = this.#rail.querySelector(`question-card[data-${what}="${CSS.escape(id)}"]`)?.closest("li");
    return drawn?.cloneNode(true);
  }
}
