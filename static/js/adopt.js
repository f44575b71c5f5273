// Puts the server's rendering of a finished run in place of what was streamed, where it differs.

const AGAIN = ".oops form, [data-go-on]";
const ALIVE = "copy-code, copy-button, local-time";

/** `turn` is all that was asked and answered. `isFrozen`: the person stopped it; text that they did
 * not see stays unseen. */
export function adopt(live, turn, { isFrozen }) {
  const article = live.closest("article");
  // Trying again is for the last answer only.
  if (article.nextElementSibling) for (const form of turn.querySelectorAll(AGAIN)) form.remove();
  adoptAnswer(live, turn.querySelector("run-stream"), isFrozen);
  const asked = article.previousElementSibling;
  if (!asked.dataset.message) adoptQuestion(asked, turn.querySelector('[data-role="user"]'));
}

/** It has its number now, and can be edited; whoever copies or marks it goes on with that. */
function adoptQuestion(asked, stored) {
  for (const { name, value } of stored.attributes) asked.setAttribute(name, value);
  asked.querySelector(".actions").append(...stored.querySelectorAll(".actions > :not(copy-button)"));
}

function adoptAnswer(live, stored, isFrozen) {
  live.dataset.state = stored.dataset.state;
  live.dataset.lastEventId = stored.dataset.lastEventId;
  const { turnsRemembered } = stored.dataset;
  if (turnsRemembered) live.dataset.turnsRemembered = turnsRemembered;
  live.querySelector(":scope > .actions").replaceWith(stored.querySelector(":scope > .actions"));
  const rail = live.querySelector(".rail");
  const folded = [...stored.querySelector(".rail").children];
  const entries = isSettled(rail, isFrozen) ? folded.flatMap(unfold) : folded;
  keepOpen(rail, entries);
  exchange(rail, entries, isFrozen);
}

/** One by one; what stays is never moved, or it would lose the focus. */
function exchange(rail, entries, isFrozen) {
  const drawn = [...rail.children];
  const named = new Map(drawn.map((entry) => [nameOf(entry), entry]));
  const kept = new Set();
  let last = null;
  for (const entry of entries) {
    const old = named.get(nameOf(entry));
    const stays = old && !kept.has(old) && mayStay(old, entry, isFrozen);
    if (stays) kept.add(old);
    else if (last) last.after(entry);
    else rail.prepend(entry);
    last = stays ? old : entry;
  }
  for (const old of drawn) if (!kept.has(old)) old.remove();
}

/** What an entry is, the same in both; nothing for a line. */
function nameOf(entry) {
  const { step } = entry.dataset;
  const part = entry.querySelector("tool-card > details, question-card, thinking-timer, [data-content]");
  if (!step || !part) return "";
  const { toolRun, input, approval } = part.dataset;
  return [step, part.localName, toolRun ?? input ?? approval ?? ""].join();
}

/** Somebody reads or uses it: calls are not folded together. */
function isSettled(rail, isFrozen) {
  return isFrozen || rail.contains(document.activeElement);
}

function unfold(entry) {
  return entry.querySelector(".group") ? [...entry.querySelector(".rail").children] : [entry];
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
