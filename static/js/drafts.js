// What was written and not sent, per person and conversation, in this browser only: the draft in
// the box, and the message that waits for the answer to end; and per question, how it is changed.
// Each has the key under which it is sent, so that the server takes it once, however often it is
// sent.

import { randomName } from "./dom.js";

const OWNER = document.body.dataset.owner;
const memory = new Map(); // Storage may be forbidden, or full: then it lives as long as the page.

export const drafts = shelf("draft");
export const followUps = shelf("next");
export const edits = shelf("edit");

/** The same text sent again, because the answer to it got lost, is the same message. */
export function keyed(text, kept) {
  return kept?.key && kept.text === text ? kept : { text, key: randomName() };
}

function shelf(kind) {
  const nameOf = (conversation) => `${kind}:${OWNER}:${conversation || "new"}`;
  return {
    /** What is kept of this conversation (of edits: this question): `{text, …}`, or null. */
    read: (conversation) => get(nameOf(conversation)),
    /** Keep `{text, …}`; without a text, nothing. */
    write: (conversation, kept) => set(nameOf(conversation), kept?.text ? kept : null),
    /** Whether a storage event is about this conversation. */
    isAbout: (event, conversation) => event.key === nameOf(conversation),
  };
}

function get(name) {
  if (memory.has(name)) return memory.get(name);
  try {
    return JSON.parse(localStorage.getItem(name));
  } catch {
    return null;
  }
}

function set(name, kept) {
  memory.delete(name);
  try {
    if (kept) localStorage.setItem(name, JSON.stringify(kept));
    else localStorage.removeItem(name);
  } catch {
    memory.set(name, kept);
  }
}
