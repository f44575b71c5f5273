// What was written and not sent, per person and conversation, in this browser only.

const OWNER = document.body.dataset.owner;

export function read(conversation) {
  try {
    return localStorage.getItem(name(conversation)) ?? "";
  } catch {
    return ""; // Storage may be forbidden.
  }
}

export function write(conversation, text) {
  try {
    if (text) localStorage.setItem(name(conversation), text);
    else localStorage.removeItem(name(conversation));
  } catch {
    // Forbidden or full: the draft lives as long as the page.
  }
}

function name(conversation) {
  return `draft:${OWNER}:${conversation || "new"}`;
}
