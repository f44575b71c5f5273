// The grammar of answers: that of chat/markdown.py, token for token. Change both or none.

import MarkdownIt from "../vendor/markdown-it.esm.min.mjs";
import { t } from "./words.js";

const ALLOWED_LINK = /^(https?|mailto):/i;
const LANGUAGE_NAME = /^[\w+#.-]{1,30}$/;
const LINK_ATTRIBUTES = { target: "_blank", rel: "noopener noreferrer" };

export const markdown = new MarkdownIt("commonmark", { html: false, xhtmlOut: false });
markdown.enable(["table", "strikethrough"]);
markdown.validateLink = (url) => ALLOWED_LINK.test(url.trim());

const { escapeHtml, unescapeAll } = markdown.utils;
const { rules } = markdown.renderer;

// A link instead: fetching a picture would tell its server who reads what, and when.
rules.image = (tokens, index, options, env, self) => {
  const token = tokens[index];
  const source = token.attrGet("src");
  const label = self.renderInlineAsText(token.children, options, env) || source;
  if (isInsideLink(tokens, index)) return escapeHtml(label);
  const { target, rel } = LINK_ATTRIBUTES;
  return `<a href="${escapeHtml(source)}" target="${target}" rel="${rel}">${escapeHtml(label)}</a>`;
};

function isInsideLink(tokens, index) {
  const links = tokens.slice(0, index).filter((token) => token.tag === "a");
  return links.reduce((depth, token) => depth + token.nesting, 0) > 0;
}

rules.link_open = (tokens, index, options, env, self) => {
  for (const [name, value] of Object.entries(LINK_ATTRIBUTES)) tokens[index].attrSet(name, value);
  return self.renderToken(tokens, index, options);
};

rules.fence = rules.code_block = (tokens, index) => {
  const [word = ""] = unescapeAll(tokens[index].info).trim().split(/\s+/);
  const language = LANGUAGE_NAME.test(word) ? word : "";
  const named = language ? ` class="language-${language}"` : "";
  return (
    `<div class="code"><div class="code-head"><span>${language}</span>` +
    `<copy-code></copy-code></div><pre tabindex="0" role="group" aria-label="${t("Code")} ${language}">` +
    `<code${named}>${escapeHtml(tokens[index].content)}</code></pre></div>\n`
  );
};

// The alignment as a class: the page allows no style attributes.
rules.th_open = rules.td_open = (tokens, index) => {
  const { tag } = tokens[index];
  const align = (tokens[index].attrGet("style") ?? "").replace("text-align:", "");
  return align ? `<${tag} class="align-${align}">` : `<${tag}>`;
};

rules.table_open = () =>
  `<div class="tbl" tabindex="0" role="group" aria-label="${t("Table")}"><table>\n`;
rules.table_close = () => "</table></div>\n";
