// The same words as the filters in chat/templatetags/chat_page.py.

import { decimal } from "./words.js";

/** 38 ms, 1.2 s, 2 min 5 s. */
export function duration(milliseconds) {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 60_000) return `${decimal(milliseconds / 1000, 1)} s`;
  const seconds = Math.round(milliseconds / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** 850 B, 2.1 KB, 3.4 MB. */
export function size(count) {
  if (count < 1024) return `${count} B`;
  if (count < 1024 ** 2) return `${decimal(count / 1024, 1)} KB`;
  return `${decimal(count / 1024 ** 2, 1)} MB`;
}

export function asText(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The main argument of a call: the first text among them, else the first. */
export function peek(args) {
  const values = Object.values(args);
  const main = values.find((value) => typeof value === "string") ?? values[0];
  if (main === undefined) return "";
  return asText(main).slice(0, 240).trim().replace(/\s+/g, " ").slice(0, 120);
}
