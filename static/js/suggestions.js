// The suggestions of a new chat fill the box; without scripts they are links that do the same.

import { announce } from "./dom.js";

document.querySelector(".empty form")?.addEventListener("submit", (event) => {
  event.preventDefault();
  announce(event.target, "suggestion", { text: event.submitter.value });
});
