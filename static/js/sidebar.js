// The list of conversations: fresh when something moved, filtered by what is typed, and a drawer
// on small screens.

import { fragment } from "./api.js";

const side = document.querySelector(".side");
const opener = document.querySelector(".open-sidebar");
const list = side.querySelector(".conversations");
const search = side.querySelector("input[type=search]");
let isFetching = false;
let isStale = false;

document.addEventListener("conversation-moved", refresh);
document.addEventListener("conversations-stale", refresh);
document.addEventListener("message-accepted", refresh);
search.addEventListener("input", filter);
opener.setAttribute("role", "button");
opener.setAttribute("aria-expanded", "false");
opener.setAttribute("aria-controls", side.id);
opener.addEventListener("click", (event) => {
  event.preventDefault();
  event.stopPropagation();
  open(true);
});
opener.addEventListener("keydown", (event) => {
  if (event.key === " ") opener.click();
});
document.addEventListener("click", (event) => {
  if (!side.contains(event.target)) open(false);
});

/** Close the drawer; false if it was not open. */
export function closeDrawer() {
  if (!side.classList.contains("open")) return false;
  open(false);
  opener.focus();
  return true;
}

function open(isOpen) {
  if (side.classList.contains("open") === isOpen) return;
  side.classList.toggle("open", isOpen);
  opener.setAttribute("aria-expanded", String(isOpen));
  if (isOpen) side.querySelector("a").focus();
}

async function refresh() {
  if (isFetching) {
    isStale = true;
    return;
  }
  isFetching = true;
  const content = await fragment("/sidebar/").catch(() => null);
  isFetching = false;
  if (content) put(content);
  if (isStale) {
    isStale = false;
    refresh();
  }
}

function put(content) {
  const focused = list.contains(document.activeElement) && document.activeElement.pathname;
  list.replaceChildren(content);
  for (const link of list.querySelectorAll("a")) {
    if (link.pathname === location.pathname) entitle(link);
    if (link.pathname === focused) link.focus();
  }
  filter();
}

function entitle(link) {
  link.setAttribute("aria-current", "page");
  const title = document.querySelector(".top h1");
  title.textContent = link.querySelector("bdi").textContent;
  document.dispatchEvent(new CustomEvent("title-changed"));
}

function filter() {
  const wanted = search.value.trim().toLocaleLowerCase();
  for (const group of list.querySelectorAll("ul")) {
    for (const item of group.children) {
      item.hidden = !item.textContent.toLocaleLowerCase().includes(wanted);
    }
    const isEmpty = !group.querySelector("li:not([hidden])");
    group.hidden = isEmpty;
    group.previousElementSibling.hidden = isEmpty;
  }
}
