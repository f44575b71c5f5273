// Requests to our own server. No token of anybody leaves this origin.

import { t } from "./words.js";

/** A network can be gone without a word: whoever asks waits so long for an answer. */
export const ANSWER_MS = 30_000;
const INSIST_MS = [250, 1000, 2000];
const INSIST_ANSWER_MS = 5000;

/** `isAway`: the server was not there, or not ready; it may be asked again. */
export class ApiError extends Error {
  constructor(message, { isAway = false } = {}) {
    super(message);
    this.isAway = isAway;
  }
}

/** POST JSON; resolves to the answer's JSON. Rejects with an ApiError that may be shown. */
export function post(url, body = {}, headers = {}) {
  return send("POST", url, body, headers);
}

/** As post, and repeated a few times while the server is away: for what may be said twice. */
export async function insist(url) {
  for (const wait of INSIST_MS) {
    try {
      return await send("POST", url, {}, {}, INSIST_ANSWER_MS);
    } catch (error) {
      if (!error.isAway) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
  return send("POST", url, {}, {}, INSIST_ANSWER_MS);
}

/** Change a conversation; as post. */
export function change(conversation, changes) {
  return send("PATCH", `/api/conversations/${conversation}/`, changes);
}

/** Delete a conversation; as post. */
export function remove(conversation) {
  return send("DELETE", `/api/conversations/${conversation}/`);
}

async function send(method, url, body = {}, headers = {}, ms = ANSWER_MS) {
  const options = {
    method,
    headers: { "Content-Type": "application/json", "X-CSRFToken": csrfToken(), ...headers },
    body: JSON.stringify(body),
  };
  return read(await reach(url, options, ms));
}

/** GET JSON; as post. */
export async function get(url) {
  return read(await reach(url, {}));
}

async function read(response) {
  const answer = await response.json().catch((error) => {
    if (error instanceof SyntaxError) return {};
    throw away();
  });
  if (response.status === 404) throw new ApiError(t("There is nothing here."));
  if (!response.ok) {
    const sentence = answer.message ?? t("The server could not take that.");
    throw new ApiError(sentence, { isAway: response.status >= 500 });
  }
  return answer;
}

/** A fragment of HTML from our server, or null where there is none for us; rejects as post. */
export async function fragment(url) {
  const response = await reach(url, { headers: { Accept: "text/html" } });
  if (response.status >= 500) throw notReady();
  if (!response.ok || response.redirected) return null;
  const template = document.createElement("template");
  template.innerHTML = await response.text();
  return template.content;
}

/** How a run is doing; null if it is not ours. Rejects when the server is not there. */
export async function runState(run, ms = ANSWER_MS) {
  const response = await reach(`/api/runs/${run}/`, {}, ms);
  if (response.status === 404) return null;
  if (!response.ok) throw notReady();
  return response.json();
}

async function reach(url, options, ms = ANSWER_MS) {
  const signal = AbortSignal.timeout(ms);
  const response = await fetch(url, { ...options, cache: "no-store", signal }).catch(() => {
    throw away();
  });
  if (response.status === 401) signIn();
  return response;
}

function notReady() {
  return new ApiError(t("The server is not ready."), { isAway: true });
}

function away() {
  const sentence = t("The server could not be reached. Nothing is lost; try again.");
  return new ApiError(sentence, { isAway: true });
}

function signIn() {
  location.assign(`/accounts/login/?next=${encodeURIComponent(location.pathname)}`);
}

/** That of the newest sign-in, which may be of another tab: the page itself has that of its own. */
export function csrfToken() {
  return document.cookie.match(/(?:^|; )csrftoken=([^;]*)/)?.[1] ?? "";
}
