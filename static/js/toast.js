// "Deleted. Undo": for ten seconds, or as long as somebody is at it.

import { post } from "./api.js";
import { t } from "./words.js";

const SHOWN_MS = 10_000;
const toast = document.querySelector("[data-toast]");
const form = toast.querySelector("form");
let timer = 0;
let conversation = null; // Deleted from this page, which can stay; else the form leads there.

form.addEventListener("submit", async (event) => {
  if (!conversation) return;
  event.preventDefault();
  toast.hidden = true;
  await post(`/api/conversations/${conversation}/restorations/`).catch(({ message }) => {
    document.querySelector("[data-alert]").textContent = message;
  });
  document.dispatchEvent(new CustomEvent("conversations-stale"));
});
for (const kind of ["pointerenter", "focusin"]) toast.addEventListener(kind, () => clearTimeout(timer));
for (const kind of ["pointerleave", "focusout"]) toast.addEventListener(kind, wait);

/** Say that a conversation is deleted, and bring it back if that is wanted. */
export function offerUndo(id) {
  conversation = id;
  toast.hidden = false;
  say();
}

function say() {
  document.querySelector("live-status").textContent = t("Deleted. It can be undone for ten seconds.");
  wait();
}

function wait() {
  clearTimeout(timer);
  timer = setTimeout(() => {
    toast.hidden = true;
  }, SHOWN_MS);
}

if (!toast.hidden) {
  // A reload is no second deletion.
  history.replaceState(history.state, "", "/");
  say();
}
