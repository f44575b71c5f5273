// The search in the sidebar: hits while one types; arrows move, Enter opens, Escape closes.

import { fragment } from "./api.js";

const TYPING_MS = 150;
const form = document.querySelector("form.find");
const input = form.querySelector("input");
const hits = document.querySelector(".side .hits");
const list = document.querySelector(".side [data-list]");
let timer = 0;
let shown = ""; // What the hits on show are hits of.

input.addEventListener("input", () => {
  clearTimeout(timer);
  if (input.value.trim()) timer = setTimeout(look, TYPING_MS);
  else close();
});
form.addEventListener("submit", (event) => {
  const first = hits.querySelector("li a");
  // Hits of something else are none; then the page of the search answers.
  if (!first || hits.hidden || shown !== input.value) return;
  event.preventDefault();
  first.click();
});
form.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown") move(event, -1, 1);
  if (event.key === "Escape" && input.value) leave(event);
});
hits.addEventListener("keydown", (event) => {
  const at = links().indexOf(document.activeElement);
  if (event.key === "ArrowDown") move(event, at, 1);
  if (event.key === "ArrowUp") move(event, at, -1);
  if (event.key === "Escape") leave(event);
});

async function look() {
  const wanted = input.value;
  const content = await fragment(`/search/hits/?q=${encodeURIComponent(wanted)}`).catch(() => null);
  if (!content || wanted !== input.value) return;
  shown = wanted;
  hits.replaceChildren(content);
  hits.hidden = false;
  list.hidden = true;
  document.querySelector("live-status").textContent = hits.querySelector(".count").textContent;
}

function links() {
  return [...hits.querySelectorAll("a")];
}

function move(event, from, by) {
  if (hits.hidden) return;
  event.preventDefault();
  (from + by < 0 ? input : links().at(from + by) ?? document.activeElement).focus();
}

function leave(event) {
  event.preventDefault();
  input.value = "";
  close();
  input.focus();
}

function close() {
  clearTimeout(timer);
  hits.hidden = true;
  list.hidden = false;
}
