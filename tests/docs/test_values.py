"""Defaults and limits that the documentation tells are those that the settings have."""

import re

import pytest
from allauth.account import app_settings
from allauth.core.internal.ratelimit import parse_rates
from django.conf import settings

from chat.models import invitations
from tests.docs.pages import ROOT
from tests.docs.values import settings_in

EXAMPLE = (ROOT / ".env.example").read_text()
EMPTY = {"''", "[]", "()", "None"}
# Told in words: made at the first start; or too long for a column.
IN_WORDS = {"SECRET_KEY": "written by `make run`", "ADMIN_PASSWORD": "random"}
FIRST_OF_MANY = {"REDACT_KEYS"}
# Empty in the example, with what happens then beside it.
EXPLAINED = {"SECRET_KEY", "LLM_MODEL"}
# The kinds of what is counted, as the page calls them; by allauth's name of the limit.
LIMITS = {
    "wrong passwords": ("login_failed", {"ip": "address", "key": "account"}),
    "signing in at all": ("login", {"ip": "address"}),
    "asking for a new password": ("reset_password", {"ip": "address", "key": "account"}),
    "mail to an address that an account shall have": ("confirm_email", {"key": "address"}),
    "giving the password again on the account page, to change it or to confirm something": (
        *("reauthenticate", {"user": "account"}),
    ),
}
LIMIT = re.compile(r"(\d+|one)(?: a minute| in (\d+) minutes)? for an (\w+)")


def told() -> dict[str, str]:
    """The default column of docs/settings.md, by the settings' names."""
    found: dict[str, str] = {}
    page = (ROOT / "docs" / "settings.md").read_text()
    for first, cell in re.findall(r"^\| (`[A-Z_` ]+`) \| (.+?) \|", page, re.MULTILINE):
        names = re.findall(r"\w+", first)
        parts = [cell] if len(names) == 1 else re.findall(r"`[^`]+`|\w+", cell)
        parts = parts * len(names) if parts == ["empty"] else parts
        found |= dict(zip(names, parts, strict=True))
    return found


TOLD = told()
PLAIN = {name: cell.strip("`") for name, cell in TOLD.items() if re.fullmatch("`[^`]+`", cell)}
SAME = {name: cell for name, cell in PLAIN.items() if cell in TOLD} | {
    name: match[1]
    for name, cell in TOLD.items()
    if (match := re.fullmatch("(?:as|from) `(.+)`", cell))
}
WITH = {
    name: match.groups()
    for name, cell in TOLD.items()
    if (match := re.fullmatch("`(.+)` with `(.+)`, else `(.+)`", cell))
}


def test_every_default_is_told_in_a_way_that_is_held_here() -> None:
    empty = {name for name, cell in TOLD.items() if cell == "empty"}

    assert len(TOLD) > 60
    assert set(TOLD) == {*PLAIN, *SAME, *WITH, *empty, *IN_WORDS, *FIRST_OF_MANY}
    assert {name: TOLD[name] for name in IN_WORDS} == IN_WORDS


def test_settings_are_by_themselves_what_the_page_says() -> None:
    literal = {name: value for name, value in PLAIN.items() if name not in SAME}
    literal |= {name: otherwise for name, (_, _, otherwise) in WITH.items()}
    without, with_them = settings_in({}, literal)

    assert with_them == without
    for name in TOLD:
        if TOLD[name] == "empty":
            assert without[name] in EMPTY, name
    assert {*re.findall("`(.+?)`", TOLD["REDACT_KEYS"])} < {
        *without["REDACT_KEYS"].strip("'").split(",")
    }


def test_settings_that_follow_others_do_so() -> None:
    for name, (value, other, _) in WITH.items():
        without, with_it = settings_in({other: "true"}, {other: "true", name: value})
        assert with_it == without, name
    for name, other in SAME.items():
        for values in settings_in({}, {other: "true"}):
            assert values[name].strip("[]") == values[other], name


def test_the_example_has_the_defaults() -> None:
    given = dict(re.findall(r"^#([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))
    explained = EXPLAINED | set(defaults_in_words())
    without, with_them = settings_in({}, {name: value for name, value in given.items() if value})

    assert with_them == without
    for name, value in given.items():
        assert value or name in explained or without[name] in EMPTY, name


def test_the_example_tells_in_words_what_the_page_tells() -> None:
    words = defaults_in_words()

    assert len(words) >= 7
    assert words == {name: TOLD[name].replace("`", "") for name in words}


def defaults_in_words() -> dict[str, str]:
    found = re.findall(r"Default: (.+?)(?:\. .*|\.)?\n(?:# .*\n)*#([A-Z_]+)=", EXAMPLE)
    return {name: words for words, name in found}


def test_limits_of_signing_in_are_those_of_the_settings() -> None:
    page = (ROOT / "docs" / "sign-in.md").read_text()
    rows = dict(
        re.findall(r"^\| ([a-z].+?) \| (.+) \|$", page.partition("## Limits")[2], re.MULTILINE)
    )
    assert rows.pop("what") == "limit"
    assert rows.pop("wrong codes of an app").startswith("as wrong passwords")

    assert set(rows) == set(LIMITS)
    for what, (action, kinds) in LIMITS.items():
        rates = parse_rates(app_settings.RATE_LIMITS[action])
        assert [
            (1 if count == "one" else int(count), 60 * int(minutes or 1), kind)
            for count, minutes, kind in LIMIT.findall(rows[what])
        ] == [(rate.amount, rate.duration, kinds[rate.per]) for rate in rates], what


@pytest.mark.parametrize(
    ("sentence", "seconds"),
    [
        ("it is for an hour and works once", settings.PASSWORD_RESET_TIMEOUT / 3600),
        (
            "(seven days, unless you say otherwise)",
            invitations.LIFETIME.total_seconds() / 7 / 86400,
        ),
    ],
)
def test_links_work_for_as_long_as_is_told(sentence: str, seconds: float) -> None:
    assert sentence in (ROOT / "docs" / "sign-in.md").read_text()
    assert seconds == 1
