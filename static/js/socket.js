// The WebSocket that tells which of my conversations moved. The page works without it.

import { get } from "./api.js";

const RETRY_MS = [1000, 2000, 5000, 10_000, 30_000];
const NOT_SIGNED_IN = 4401;
let attempt = 0;

export function openSocket() {
  const socket = new WebSocket(new URL("/ws/", location.href.replace(/^http/, "ws")));
  socket.addEventListener("open", () => {
    // What moved since the page was made, or while we were away, was not announced to us.
    tell("conversations-stale", { wasAway: true });
    attempt = 0;
  });
  socket.addEventListener("message", (event) => tell("conversation-moved", JSON.parse(event.data)));
  socket.addEventListener("close", async (event) => {
    // Another tab has signed out, or in anew: asking leads to the sign-in page, or we go on.
    if (event.code === NOT_SIGNED_IN) await get("/api/conversations/").catch(() => null);
    setTimeout(openSocket, RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)]);
    attempt += 1;
  });
}

function tell(name, detail = {}) {
  document.dispatchEvent(new CustomEvent(name, { detail }));
}
