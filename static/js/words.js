// What scripts say, in the language of the page, and numbers as they are written in it.
// The server prints the translations into the page; an English page needs none.

export const language = document.documentElement.lang;

const translations = JSON.parse(document.getElementById("words")?.textContent ?? "{}");
const plurals = new Intl.PluralRules(language);
const { pluralCategories } = plurals.resolvedOptions();
const [, decimalPoint] = (0.5).toLocaleString(language);

/** The text in the page's language; each `{name}` in it becomes that value. */
export function t(text, values = {}) {
  return fill(translations[text] ?? text, values);
}

/** One or more: `{count}` and the form that the language has for so many. */
export function tn(one, more, count) {
  const forms = translations[one] ?? [one, more];
  return fill(forms[pluralCategories.indexOf(plurals.select(count))] ?? more, { count });
}

/** 1234.5 with so many decimals, and no mark between the thousands. */
export function decimal(value, places) {
  return value.toFixed(places).replace(".", decimalPoint);
}

function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (place, name) => values[name] ?? place);
}
