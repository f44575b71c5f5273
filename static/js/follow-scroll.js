// Keeps the end in view while the reader is there, and lets go the moment they scroll up.

const NEAR_PX = 4;
const CLOSE_PX = 40; // On the way down: a line or two that came meanwhile.
const SCROLLING_KEYS = ["ArrowUp", "PageUp", "Home"];

// The address leads to a message, or one is being edited: the end is not what one wants to see.
const isLed = location.hash || document.querySelector("[autofocus]");

class FollowScroll extends HTMLElement {
  #isPinned = !isLed;
  #last = 0;
  #watching = null;
  #listening = null;

  connectedCallback() {
    this.#listening = new AbortController();
    const options = { signal: this.#listening.signal, passive: true };
    this.addEventListener("scroll", () => this.#scrolled(), options);
    this.addEventListener("wheel", (event) => event.deltaY < 0 && this.#let(), options);
    this.addEventListener("keydown", (event) => this.#press(event), { signal: options.signal });
    this.#button.addEventListener("click", () => this.#goToEnd(), options);
    document.addEventListener("log-grown", () => this.#goToEnd(), options);
    this.#watching = new ResizeObserver(() => this.#follow());
    this.#watching.observe(this.querySelector(".log"));
    this.#watching.observe(this);
  }

  disconnectedCallback() {
    this.#listening.abort();
    this.#watching.disconnect();
  }

  get #button() {
    return this.closest("chat-conversation").querySelector("[data-latest]");
  }

  get #distance() {
    return this.scrollHeight - this.scrollTop - this.clientHeight;
  }

  get #isAtEnd() {
    return this.#distance <= NEAR_PX;
  }

  #follow() {
    if (!this.#isPinned) return;
    this.scrollTop = this.scrollHeight;
    this.#last = this.scrollTop;
  }

  #scrolled() {
    // Our own following is told a frame later: the reader may have let go since, nothing moved.
    const moved = this.scrollTop - this.#last;
    if (moved < -1 && !this.#isAtEnd) this.#pin(false);
    else if (moved > 0 && this.#distance <= CLOSE_PX) this.#pin(true);
    this.#last = this.scrollTop;
  }

  #press(event) {
    if (SCROLLING_KEYS.includes(event.key)) this.#let();
    // A browser would glide to where the end was; while text comes it is further down by then.
    if (event.key === "End" && event.target === this) {
      event.preventDefault();
      this.#goToEnd();
    }
  }

  /** Only where there is anything to scroll: else nothing could pin it again. */
  #let() {
    if (this.scrollTop > 0) this.#pin(false);
  }

  #goToEnd() {
    this.#pin(true);
    this.#follow();
  }

  #pin(isPinned) {
    this.#isPinned = isPinned;
    this.#button.hidden = isPinned;
  }
}

customElements.define("follow-scroll", FollowScroll);
