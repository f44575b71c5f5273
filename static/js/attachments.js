// What a tool gave back beside its text, in the same markup as the server's partials.

import { clone } from "./dom.js";
import { size } from "./format.js";
import { t } from "./words.js";

/** An entry for an attachment of a result; `tool` is what its card is called. */
export function attachment(reference, tool) {
  const kind = reference.mime_type.split("/")[0];
  const alt = `${tool}: ${reference.name}`;
  if (kind === "image") return image(reference, alt);
  if (kind === "audio") return audio(reference, alt);
  return download(reference);
}

function image({ url }, alt) {
  const entry = clone("attachment-image");
  entry.querySelector("a").setAttribute("href", url);
  entry.querySelector("img").alt = alt;
  entry.querySelector("img").setAttribute("src", url);
  return entry;
}

function audio({ url }, alt) {
  const entry = clone("attachment-audio");
  entry.querySelector("audio").setAttribute("aria-label", alt);
  entry.querySelector("audio").setAttribute("src", url);
  return entry;
}

function download({ url, mime_type, name, bytes }) {
  const entry = clone("attachment-download");
  const [title, count] = entry.querySelectorAll("bdi");
  entry.querySelector("a").setAttribute("href", url);
  entry.querySelector("a").type = mime_type;
  title.textContent = mime_type === "text/plain" ? t("the whole result") : name;
  count.textContent = size(bytes);
  return entry;
}
