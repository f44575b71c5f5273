"""The catalogues of translations: `make messages` renews them, tests/test_messages.py reads them.

One for pages (`django`), one for scripts (`djangojs`), one for sentences that are stored in
English and translated when they are shown (`stored`).
"""

import ast
import re
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
LOCALES = ROOT / "locale"
GETTEXT = dict.fromkeys(("_", "gettext", "gettext_lazy"), None) | {
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
TEMPLATES = "tests.messages:extract_template"
# Where each domain's texts are, and how they are marked there.
DOMAINS: dict[str, tuple[list[tuple[str, str]], dict[str, Any]]] = {
    "django": ([("chat/**.py", "python"), ("templates/**.html", TEMPLATES)], GETTEXT),
    "djangojs": ([("static/js/**.js", "javascript")], {"t": None, "tn": (1, 2)}),
    "stored": ([("chat/**.py", "python")], {"say": None}),
}
CALL = re.compile(r" (_|n?p?gettext)(\(.*?\)) ", re.DOTALL)
# Who did what, and when, is what Git knows.
NO_DATE = datetime(2000, 1, 1, tzinfo=UTC)
NOISE = re.compile(
    r'^"(POT-Creation-Date|PO-Revision-Date|Generated-By|Project-Id-Version|Report-Msgid-Bugs-To'
    r"|Last-Translator|Language-Team): .*\n",
    re.MULTILINE,
)


def extract_template(
    file: BinaryIO, keywords: Collection[str], comment_tags: Any, options: Any
) -> Iterator[tuple[int, str, Any, list[str]]]:
    """Django turns a template into calls between rows of X; Babel gets the calls."""
    code = templatize(file.read().decode())
    for call in CALL.finditer(code):
        name = call[1]
        arguments = [
            argument.value
            for argument in ast.parse(f"f{call[2]}", mode="eval").body.args  # type: ignore[attr-defined]
            if isinstance(argument, ast.Constant)
        ]
        line = code.count("\n", 0, call.start()) + 1
        yield line, name, arguments[0] if len(arguments) == 1 else tuple(arguments), []


def found(domain: str) -> Catalog:
    """What is marked in the sources now, without translations."""
    methods, keywords = DOMAINS[domain]
    folders = sorted({pattern.partition("/")[0] for pattern, _ in methods})
    catalog = Catalog(fuzzy=False)
    for folder in folders:
        inner = [(pattern.partition("/")[2], method) for pattern, method in methods]
        options = {pattern: {"parse_template_string": "true"} for pattern, _ in inner}
        for name, line, text, _, context in extract_from_dir(
            ROOT / folder, inner, options, keywords
        ):
            catalog.add(text, locations=[(f"{folder}/{name}", line)], context=context)
    return catalog


def read(path: Path) -> Catalog:
    with path.open("rb") as file:
        catalog = read_po(file, locale=path.parts[-3], domain=path.stem)
    catalog.creation_date = catalog.revision_date = NO_DATE
    return catalog


def compiled(catalog: Catalog) -> bytes:
    """What belongs into the .mo file."""
    target = BytesIO()
    write_mo(target, catalog)
    return target.getvalue()


def languages() -> Iterable[str]:
    return sorted(path.name for path in LOCALES.iterdir() if path.is_dir())


def renew(language: str, domain: str) -> int:
    """Take over what is marked, drop what is not any more; how many wait for a translation."""
    path = LOCALES / language / "LC_MESSAGES" / f"{domain}.po"
    path.parent.mkdir(parents=True, exist_ok=True)
    catalog = read(path) if path.exists() else Catalog(locale=language, domain=domain, fuzzy=False)
    catalog.update(found(domain), no_fuzzy_matching=True, update_creation_date=False)
    catalog.obsolete.clear()
    catalog.header_comment = ""
    target = BytesIO()
    write_po(target, catalog, sort_by_file=True, include_lineno=False, width=100)
    path.write_text(NOISE.sub("", target.getvalue().decode()))
    path.with_suffix(".mo").write_bytes(compiled(read(path)))
    return sum(not is_translated(message.string) for message in catalog if message.id)


def is_translated(string: str | tuple[str, ...] | None) -> bool:
    return all(string) if isinstance(string, tuple) else bool(string)


def main() -> None:
    for language in languages():
        for domain in DOMAINS:
            print(f"{language}/{domain}: {renew(language, domain)} without a translation")


if __name__ == "__main__":
    main()
