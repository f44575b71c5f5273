// The tab's title and icon: answering, waiting for the person, or done while nobody looked.

import { t } from "./words.js";

const ASKING = 'question-card[data-state="open"], [data-tool-run][data-state="awaiting_approval"]';
const MARKS = {
  answering: `● ${t("Answering")} · `,
  waiting: `◆ ${t("Waits for you")} · `,
  done: `✓ ${t("Done")} · `,
};
const icon = document.querySelector("link[rel=icon]");
const plain = icon.href;
const { site, iconAnswering, iconWaiting, iconDone } = document.body.dataset;
const icons = { answering: iconAnswering, waiting: iconWaiting, done: iconDone };
let run = null;
let isUnseen = false;

document.addEventListener("run-changed", ({ detail }) => {
  run = detail.run;
  isUnseen = document.hidden && !run.isActive;
  show();
});
document.addEventListener("visibilitychange", () => {
  isUnseen &&= document.hidden;
  show();
});
// The second, because a question was drawn, or what was answered.
for (const name of ["title-changed", "log-grown"]) document.addEventListener(name, show);

function show() {
  const state = stateOf(run);
  const title = document.querySelector(".top h1").textContent;
  document.title = `${MARKS[state] ?? ""}${title} · ${site}`;
  icon.href = icons[state] ?? plain;
}

function stateOf(run) {
  if (run?.isActive) return run.querySelector(ASKING) ? "waiting" : "answering";
  return isUnseen ? "done" : "";
}
