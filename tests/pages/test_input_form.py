"""Forms from outside: what is asked, what fits, and what must never be tried."""

import time
from typing import Any

import pytest

from chat.input_form import answered, content_of, fields_of, problems_of


def schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


HOSTILE = [
    schema(a={"type": "string", "pattern": "^(a+)+$"}),
    schema(a={"$ref": "http://127.0.0.1:9/x"}),
    schema(a={"$ref": "file:///etc/passwd"}),
    schema(a={"$ref": "#/nope"}),
    schema(a={"type": "string", "allOf": [{"not": {}}]}),
    schema(a={"type": ["string", 7], "enum": 5, "minLength": "x"}),
    schema(a=5),
    {"type": "object", "properties": []},
    {"patternProperties": {"(": {}}},
]


@pytest.mark.parametrize("asked", HOSTILE)
def test_a_schema_from_outside_is_only_read_as_a_form(asked: dict[str, Any]) -> None:
    began = time.monotonic()

    assert not problems_of(asked, {"a": "a" * 40 + "!"})
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("rules", "good", "bad"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 9}, 5, 10),
        ({"type": "integer"}, 5, "five"),
        ({"type": "number"}, 1.5, True),
        ({"type": "number", "maximum": 10**400}, 10**400, 10**400 + 1),
        ({"type": "boolean"}, False, "yes"),
        ({"type": "string", "minLength": 2, "maxLength": 3}, "abc", "abcd"),
        ({"type": "string", "enum": ["a", "b"]}, "a", "c"),
        ({"oneOf": [{"const": "a", "title": "A"}]}, "a", "A"),
        ({"type": "array", "items": {"enum": ["x", "y"]}, "maxItems": 1}, ["x"], ["x", "y"]),
    ],
)
def test_the_rules_of_a_form_are_kept(rules: dict[str, Any], good: Any, bad: Any) -> None:
    asked = schema(a=rules)

    assert problems_of(asked, {"a": good}) == {}
    assert list(problems_of(asked, {"a": bad})) == ["a"]
    assert problems_of(asked, {}) == {"a": "a is needed."}


def test_what_a_browser_sends_becomes_what_the_schema_wants() -> None:
    asked = schema(
        whole={"type": "integer"},
        number={"type": "number"},
        large={"type": "integer"},
        box={"type": "boolean"},
        several={"type": "array", "items": {"enum": ["x", "y"]}},
        empty={"type": "string"},
    )
    posted = {
        "field-whole": ["7"],
        "field-number": ["inf"],
        "field-large": ["9" * 400],
        "field-several": ["x", "y"],
        "field-empty": [""],
    }

    content = content_of(asked, posted)

    numbers = {"whole": 7, "number": "inf", "large": int("9" * 400)}
    assert content == {**numbers, "box": False, "several": ["x", "y"]}
    assert answered(asked, content | {"more": 1}) == content
    assert [field.kind for field in fields_of(asked)] == [
        *("number", "number", "number", "checkbox", "choices", "text")
    ]


@pytest.mark.parametrize(
    ("default", "shown"),
    [
        ("2026-05-01T12:00:30+02:00", "2026-05-01T10:00:30"),
        ("2026-05-01T10:00:00.25Z", "2026-05-01T10:00:00"),
        ("2026-05-01", "2026-05-01T00:00:00"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+14:00"),
        ("tomorrow", "tomorrow"),
        (7, "7"),
    ],
)
def test_a_moment_is_shown_in_utc_and_what_is_none_as_it_is(default: Any, shown: str) -> None:
    [field] = fields_of(schema(at={"type": "string", "format": "date-time", "default": default}))

    assert (field.label, field.written) == ("at (UTC)", shown)


@pytest.mark.parametrize(
    ("sent", "taken"),
    [
        ("2026-05-01T10:00", "2026-05-01T10:00:00+00:00"),
        ("2026-05-01T12:00:30+02:00", "2026-05-01T10:00:30+00:00"),
        ("tomorrow", "tomorrow"),
    ],
)
def test_a_moment_is_sent_as_rfc_3339_wants_it(sent: str, taken: str) -> None:
    asked = schema(at={"type": "string", "format": "date-time"})

    assert content_of(asked, {"field-at": [sent]}) == {"at": taken}
