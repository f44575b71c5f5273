// The list of conversations: fresh when something moved, longer as one scrolls, and a drawer on
// small screens.

import { fragment } from "./api.js";

const side = document.querySelector(".side");
const opener = document.querySelector(".open-sidebar");
const list = side.querySelector("[data-list]");
const end = new IntersectionObserver(grow, { root: list, rootMargin: "200px" });
// How many were asked for; 0: as many as at first.
let shown = new URLSearchParams(location.search).get("shown") ?? 0;
let isFetching = false;
let isStale = false;
let wasAway = false; // Announcements may have been missed; the socket opens after the page.

document.addEventListener("conversation-moved", refresh);
document.addEventListener("conversations-stale", ({ detail }) => {
  wasAway ||= Boolean(detail?.wasAway);
  refresh();
});
document.addEventListener("message-accepted", refresh);
watch();
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
  // What is done to a chat of the list belongs to it.
  if (!event.target.closest(".side, .menu, .toast")) open(false);
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
  // Whoever writes a title there says so when it is done.
  if (isFetching || list.querySelector(".rename")) {
    isStale = isFetching;
    return;
  }
  isFetching = true;
  const content = await fragment(`/sidebar/?shown=${shown}`).catch(() => null);
  isFetching = false;
  if (content && !list.querySelector(".rename")) put(content);
  if (isStale) {
    isStale = false;
    refresh();
  }
}

function put(content) {
  const fresh = list.cloneNode();
  fresh.append(content);
  for (const link of fresh.querySelectorAll("li > a")) {
    if (link.pathname === location.pathname) entitle(link);
  }
  wasAway = false;
  // A press that has begun on a row ends there, if nothing moved.
  if (fresh.innerHTML.trim() === list.innerHTML.trim()) return;
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  const row = focused?.closest("li")?.dataset.conversation;
  const rows = list.querySelectorAll("li").length;
  list.replaceChildren(...fresh.childNodes);
  if (row) list.querySelector(`[data-conversation="${row}"] ${focused.localName}`)?.focus();
  // From "More chats" it goes on with the first of them.
  else if (focused) list.querySelectorAll("li > a")[rows]?.focus();
  watch();
}

function entitle(link) {
  const hasMoved = link.querySelector(".dot");
  if (wasAway && hasMoved) document.dispatchEvent(new CustomEvent("conversation-missed"));
  link.setAttribute("aria-current", "page");
  // What is open is no news.
  link.querySelector("[data-news]")?.remove();
  const title = document.querySelector(".top h1");
  title.textContent = link.querySelector("bdi").textContent;
  document.dispatchEvent(new CustomEvent("title-changed"));
}

/** Load more as soon as the end of the list comes into view. */
function watch() {
  end.disconnect();
  const more = list.querySelector(".more-chats");
  if (more) end.observe(more);
}

function grow(entries) {
  if (!entries.some((entry) => entry.isIntersecting)) return;
  shown = entries[0].target.dataset.shown;
  refresh();
}
