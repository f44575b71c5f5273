"""The language of whoever reads: of a request, of stored sentences, of scripts, of numbers.

What is stored and sent to programs is English. See docs/decisions/0016-languages.md.
"""

import re
from functools import cache
from gettext import GNUTranslations
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest
from django.utils import translation
from django.utils.formats import number_format

Forms = dict[str, str | list[str]]
PLACE = re.compile(r"\\\{(\w+)\\\}")
GROUPED = re.compile(r"\d{1,3}(,\d{3})+")


def language_of(request: HttpRequest) -> str:
    """What its person chose, else what their browser asks for. Programs read English."""
    if hasattr(request, "token_user"):
        return settings.LANGUAGE_CODE
    return translation.get_language_from_request(request)


def told(sentence: object) -> str:
    """A sentence that `say` made, perhaps long ago, in the language in use; others stay."""
    text = str(sentence)
    exact, patterns = _stored(translation.get_language() or settings.LANGUAGE_CODE)
    if text in exact:
        return exact[text]
    for pattern, template in patterns:
        if found := pattern.fullmatch(text):
            values = {name: _localised(value) for name, value in found.groupdict().items()}
            return template.format_map(values)
    return text


def number(value: float, decimals: int = 0) -> str:
    """1,234.5 as it is written in the language in use."""
    return str(number_format(f"{value:.{decimals}f}", decimals, force_grouping=True))


@cache
def words_for_scripts(language: str) -> Forms:
    """What scripts say: each English text with its translation, or with one for each plural."""
    words: Forms = {}
    for key, text in sorted(_catalogue("djangojs", language).items(), key=str):
        if isinstance(key, tuple):
            forms = words.setdefault(key[0], [])
            if isinstance(forms, list):
                forms.append(text)
        elif key:
            words[key] = text
    return words


def _localised(value: str) -> str:
    """A number within a sentence, or a sentence within a sentence."""
    if GROUPED.fullmatch(value):
        return number(int(value.replace(",", "")))
    return told(value) if " " in value else value


@cache
def _stored(language: str) -> tuple[dict[str, str], list[tuple[re.Pattern[str], str]]]:
    """Sentences without places to be filled, and patterns of those with; both from English."""
    catalogue = {str(key): text for key, text in _catalogue("stored", language).items() if key}
    patterns = [
        (re.compile(PLACE.sub(r"(?P<\1>.*?)", re.escape(key)), re.DOTALL), text)
        for key, text in catalogue.items()
        if "{" in key
    ]
    # The most definite one first.
    patterns.sort(key=lambda pair: -len(pair[0].pattern))
    return {key: text for key, text in catalogue.items() if "{" not in key}, patterns


def _catalogue(domain: str, language: str) -> dict[str | tuple[str, int], str]:
    folder = Path(settings.LOCALE_PATHS[0]) / translation.to_locale(language)
    path = folder / "LC_MESSAGES" / f"{domain}.mo"
    if not path.exists():
        return {}
    with path.open("rb") as file:
        return dict(vars(GNUTranslations(file))["_catalog"])
