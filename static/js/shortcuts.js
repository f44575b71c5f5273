// The keyboard: Ctrl+K new chat, / to the box, ? for help; Escape closes what is open, or stops the
// answer.

import { closeDrawer } from "./sidebar.js";

document.addEventListener("keydown", (event) => {
  // Browsers that fill in a field tell of keys that have no name.
  if (event.isComposing || event.defaultPrevented || !event.key) return;
  if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    document.querySelector(".side .new").click();
  } else if (event.key === "/" && !isWriting(event.target)) {
    event.preventDefault();
    document.getElementById("ask")?.focus();
  } else if (event.key === "?" && !isWriting(event.target)) {
    document.getElementById("shortcuts").showPopover();
    document.getElementById("keys-title").focus();
  } else if (event.key === "Escape" && !isBusyWith()) {
    document.querySelector(".stop:not([hidden])")?.click();
  }
});

/** What lies over the page is closed first; the browser does that to its own. */
function isBusyWith() {
  return document.querySelector(":popover-open") || closeDrawer();
}

function isWriting(element) {
  return element.matches("input, textarea, select, [contenteditable]");
}
