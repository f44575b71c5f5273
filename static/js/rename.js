// A new title, written where the old one stands: in the row of the sidebar or at the top.

import { clone } from "./dom.js";

/** `save` is given the new title; what it rejects with is shown, and can be put right. */
export function rename(more, save) {
  const shown = more.closest("li")?.querySelector("a") ?? document.querySelector(".top h1");
  const form = clone("rename");
  const input = form.elements[0];
  const words = shown.querySelector("bdi") ?? shown;
  const before = words.textContent;
  input.value = before;
  shown.hidden = true;
  shown.after(form);
  input.select();
  let isDone = false;

  async function finish() {
    const title = input.value.trim();
    if (isDone) return;
    isDone = true;
    try {
      if (title && title !== before) words.textContent = (await save(title)).title;
      close();
    } catch (error) {
      isDone = false;
      input.setCustomValidity(error.message);
      form.reportValidity();
    }
  }

  function close() {
    const hadFocus = form.contains(document.activeElement);
    isDone = true;
    form.remove();
    shown.hidden = false;
    if (hadFocus) more.querySelector("button").focus();
    document.dispatchEvent(new CustomEvent("title-changed"));
    document.dispatchEvent(new CustomEvent("conversations-stale"));
  }

  input.addEventListener("input", () => input.setCustomValidity(""));
  input.addEventListener("blur", finish);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    finish();
  });
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.isComposing) return;
    event.preventDefault();
    close();
  });
}
