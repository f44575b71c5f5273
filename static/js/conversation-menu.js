// The menu of a conversation, for its row in the sidebar and for the bar at the top. Without
// scripts its buttons lead to a page with the same choices.

import { change, remove } from "./api.js";
import { rename } from "./rename.js";
import { offerUndo } from "./toast.js";
import { t } from "./words.js";

const menu = document.getElementById("conversation-menu");
const bar = document.querySelector(".top form.more");
let about = null; // The form of the button that was pressed last.

document.addEventListener("submit", (event) => {
  const form = event.target.closest("form.more");
  if (!form) return;
  event.preventDefault();
  open(form);
});
// The chat that has just begun has a menu from now on.
document.addEventListener("message-accepted", ({ detail }) => tie(detail.conversation_id));
document.addEventListener("conversation-moved", ({ detail }) => follow(detail));
menu.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do], a");
  if (!button) return;
  menu.hidePopover();
  if (button.dataset.do) act(button.dataset.do).catch(complain);
});
menu.addEventListener("keydown", (event) => {
  const items = [...menu.children];
  const at = items.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
  if (to !== undefined) items.at(to % items.length).focus();
  else if (event.key === "Escape") close();
  else return;
  event.preventDefault();
});

function open(form) {
  about = form;
  const { conversation } = form.dataset;
  const { pinned, archived } = stateOf(conversation, form);
  label("pin", pinned ? t("Unpin") : t("Pin"));
  label("archive", archived ? t("Unarchive") : t("Archive"));
  menu.querySelector("[data-options]").href = `/c/${conversation}/options/#system-prompt`;
  for (const link of menu.querySelectorAll("[data-export]")) {
    link.href = `/api/conversations/${conversation}/export/?format=${link.dataset.export}`;
  }
  menu.showPopover();
  place(form.getBoundingClientRect());
  menu.firstElementChild.focus();
}

function close() {
  menu.hidePopover();
  // The list may have been drawn anew meanwhile.
  const form = about.isConnected ? about : rowOf(about.dataset.conversation);
  form?.querySelector("button").focus();
}

/** Below the button, or above it where there is no room; never outside of the window. */
function place(button) {
  const { width, height } = menu.getBoundingClientRect();
  const isLow = button.bottom + height > innerHeight;
  menu.style.top = `${Math.max(8, isLow ? button.top - height : button.bottom)}px`;
  const isMirrored = getComputedStyle(menu).direction === "rtl";
  const start = isMirrored ? button.right - width : button.left;
  menu.style.left = `${Math.max(8, Math.min(start, innerWidth - width - 8))}px`;
}

/** The list is drawn anew with every change; what the bar at the top was printed with is not. */
function stateOf(conversation, form) {
  const { pinned, archived } = (rowOf(conversation) ?? form).dataset;
  return { pinned: pinned !== undefined, archived: archived !== undefined };
}

function rowOf(conversation) {
  return document.querySelector(`.side form.more[data-conversation="${conversation}"]`);
}

function label(what, text) {
  menu.querySelector(`[data-do="${what}"] span`).textContent = text;
}

async function act(what) {
  const form = about;
  const { conversation } = form.dataset;
  const { pinned, archived } = stateOf(conversation, form);
  switch (what) {
    case "rename":
      return rename(form, (title) => change(conversation, { title }));
    case "pin":
      if (isOpen(conversation)) bar.toggleAttribute("data-pinned", !pinned);
      await change(conversation, { is_pinned: !pinned });
      break;
    case "archive":
      if (isOpen(conversation)) bar.toggleAttribute("data-archived", !archived);
      if (!archived) stepAside(conversation);
      await change(conversation, { is_archived: !archived });
      break;
    case "delete":
      stepAside(conversation);
      await remove(conversation);
      if (isOpen(conversation)) return leave(conversation);
      offerUndo(conversation);
  }
  document.dispatchEvent(new CustomEvent("conversations-stale"));
}

/** Its row goes at once; whoever stood on it goes on with the next one. */
function stepAside(conversation) {
  const row = rowOf(conversation)?.closest("li");
  if (!row) return;
  const rows = [...document.querySelectorAll(".side [data-list] li")];
  const at = rows.indexOf(row);
  const next = rows[at + 1] ?? rows[at - 1];
  if (row.contains(document.activeElement)) next?.querySelector("a").focus();
  row.remove();
}

function follow({ id, state }) {
  if (state === "deleted" && isOpen(id)) leave(id);
}

function leave(conversation) {
  location.assign(`/?deleted=${conversation}`);
}

function isOpen(conversation) {
  return conversation === bar?.dataset.conversation;
}

function tie(conversation) {
  bar.dataset.conversation = conversation;
  bar.action = `/c/${conversation}/options/`;
  bar.hidden = false;
}

function complain(error) {
  document.querySelector("[data-alert]").textContent = error.message;
  document.dispatchEvent(new CustomEvent("conversations-stale"));
}
