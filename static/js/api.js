// Requests to our own server. No token of anybody leaves this origin.

import { t } from "./words.js";

export class ApiError extends Error {}

/** POST JSON; resolves to the answer's JSON. Rejects with an ApiError that may be shown. */
export function post(url, body = {}, headers = {}) {
  return send("POST", url, body, headers);
}

/** Change a conversation; as post. */
export function change(conversation, changes) {
  return send("PATCH", `/api/conversations/${conversation}/`, changes);
}

/** Delete a conversation; as post. */
export function remove(conversation) {
  return send("DELETE", `/api/conversations/${conversation}/`);
}

async function send(method, url, body = {}, headers = {}) {
  const response = await reach(url, {
    method,
    headers: { "Content-Type": "application/json", "X-CSRFToken": csrfToken(), ...headers },
    body: JSON.stringify(body),
  });
  return read(response);
}

/** GET JSON; as post. */
export async function get(url) {
  return read(await reach(url, {}));
}

async function read(response) {
  const answer = await response.json().catch(() => ({}));
  if (response.status === 404) throw new ApiError(t("There is nothing here."));
  if (!response.ok) throw new ApiError(answer.message ?? t("The server could not take that."));
  return answer;
}

/** A fragment of HTML from our server, or null where there is none for us. */
export async function fragment(url) {
  const response = await reach(url, { headers: { Accept: "text/html" } });
  if (!response.ok || response.redirected) return null;
  const template = document.createElement("template");
  template.innerHTML = await response.text();
  return template.content;
}

/** How a run is doing; null if it is not ours. Rejects when the server is not there. */
export async function runState(run) {
  const response = await reach(`/api/runs/${run}/`, {});
  if (response.status === 404) return null;
  if (!response.ok) throw new ApiError(t("The server is not ready."));
  return response.json();
}

async function reach(url, options) {
  const response = await fetch(url, { ...options, cache: "no-store" }).catch(() => {
    throw new ApiError(t("The server could not be reached. Nothing is lost; try again."));
  });
  if (response.status === 401) signIn();
  return response;
}

function signIn() {
  location.assign(`/accounts/login/?next=${encodeURIComponent(location.pathname)}`);
}

function csrfToken() {
  return document.querySelector("[name=csrfmiddlewaretoken]").value;
}
