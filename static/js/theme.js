// Light, dark or as the system: a cookie, so that the server prints it before anything is drawn.

import { t } from "./words.js";

const TITLES = {
  light: t("Theme: light"),
  dark: t("Theme: dark"),
  system: t("Theme: as the system"),
};
const YEAR_SECONDS = 365 * 24 * 3600;
const prefersDark = matchMedia("(prefers-color-scheme: dark)");

class ThemeSwitch extends HTMLElement {
  connectedCallback() {
    this.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      const theme = next(document.documentElement.dataset.theme);
      this.#choose(theme);
      keep(event.target, theme);
    });
  }

  #choose(theme) {
    const root = document.documentElement;
    const age = theme ? YEAR_SECONDS : 0;
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `theme=${theme}; Path=/; Max-Age=${age}; SameSite=Lax${secure}`;
    if (theme) root.dataset.theme = theme;
    else delete root.dataset.theme;
    const radio = document.querySelector(`[type="radio"][name="theme"][value="${theme || "system"}"]`);
    if (radio) radio.checked = true;
    const button = this.querySelector("button");
    const icon = document.getElementById(`theme-${theme || "system"}`).content;
    button.replaceChildren(icon.cloneNode(true));
    button.title = TITLES[theme || "system"];
  }
}

/** For the person's other browsers; this one has its cookie, whatever becomes of it. */
function keep(form, theme) {
  const body = new FormData(form);
  body.set("theme", theme || "system");
  fetch(form.action, { method: "POST", body, redirect: "manual", keepalive: true }).catch(() => {});
}

/** From the system's first to its opposite, so that the first press can be seen. */
function next(theme) {
  const [same, opposite] = prefersDark.matches ? ["dark", "light"] : ["light", "dark"];
  if (!theme) return opposite;
  return theme === opposite ? same : "";
}

customElements.define("theme-switch", ThemeSwitch);
