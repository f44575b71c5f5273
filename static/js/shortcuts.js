// The keyboard: Ctrl+K new chat, / to the box, Escape closes the drawer or stops the answer.

import { closeDrawer } from "./sidebar.js";

document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.defaultPrevented) return;
  if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    document.querySelector(".side .new").click();
  } else if (event.key === "/" && !isWriting(event.target)) {
    event.preventDefault();
    document.getElementById("ask")?.focus();
  } else if (event.key === "Escape" && !closeDrawer()) {
    document.querySelector(".stop:not([hidden])")?.click();
  }
});

function isWriting(element) {
  return element.matches("input, textarea, select, [contenteditable]");
}
