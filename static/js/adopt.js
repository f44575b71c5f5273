// Puts the server's rendering of a finished run in place of what was streamed, where it differs.

const ALIVE = "copy-code, copy-button, local-time";

/** `isFrozen`: the person stopped it; text that they did not see stays unseen. */
export function adopt(live, stored, { isFrozen }) {
  live.dataset.state = stored.dataset.state;
  live.dataset.lastEventId = stored.dataset.lastEventId;
  const { turnsRemembered } = stored.dataset;
  if (turnsRemembered) live.dataset.turnsRemembered = turnsRemembered;
  live.querySelector(":scope > .actions").replaceWith(stored.querySelector(":scope > .actions"));
  const rail = live.querySelector(".rail");
  const entries = [...stored.querySelector(".rail").children];
  keepOpen(rail, entries);
  if (rail.children.length !== entries.length && !isSettled(rail, isFrozen)) {
    rail.replaceChildren(...entries);
    return;
  }
  const drawn = [...rail.children];
  for (const [index, entry] of entries.entries()) {
    const old = drawn[index];
    if (!old) rail.append(entry);
    else if (!mayStay(old, entry, isFrozen)) old.replaceWith(entry);
  }
}

/** Somebody reads or uses it: entries are exchanged one by one, never folded together. */
function isSettled(rail, isFrozen) {
  return isFrozen || rail.contains(document.activeElement);
}

function mayStay(old, entry, isFrozen) {
  if (old.contains(document.activeElement)) return true;
  if (isFrozen && old.matches(".text") && entry.matches(".text")) return true;
  if (old.querySelector("thinking-timer") && entry.querySelector("thinking-timer")) return true;
  return plain(old) === plain(entry);
}

/** What one has opened stays open. */
function keepOpen(rail, entries) {
  for (const details of rail.querySelectorAll("details[open]")) {
    const id = CSS.escape(details.dataset.toolRun ?? "");
    for (const entry of entries) {
      const found = entry.querySelector(`[data-tool-run="${id}"]`);
      found?.setAttribute("open", "");
      found?.closest(".group")?.setAttribute("open", "");
    }
  }
}

/** The markup without what elements have drawn into themselves. */
function plain(element) {
  const copy = element.cloneNode(true);
  for (const alive of copy.querySelectorAll(ALIVE)) alive.replaceChildren();
  for (const details of copy.querySelectorAll("details")) details.removeAttribute("open");
  return copy.outerHTML;
}
