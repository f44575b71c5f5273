"""What the demo model understands: one row per kind of question. Pure.

English, and as much German as the suggestions of a new chat need.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Arguments = dict[str, Any]
NUMBER = r"-?\d[\d,]*(?:\.\d+)?"
UNIT = (
    r"miles|mile|mi|kilometers|kilometres|kilometer|kilometre|km|meters|metres|meter|metre|m|"
    r"centimeters|centimetres|cm|mm|feet|foot|ft|inches|inch|in|yards|yard|yd|kilograms|kilogram|"
    r"kg|grams|gram|g|pounds|pound|lbs|lb|ounces|ounce|oz|celsius|fahrenheit|kelvin|°c|°f|c|f|"
    r"liters|litres|liter|litre|l|gallons|gallon|gal|ml|cups|cup|km/h|kmh|mph|m/s|knots|"
    r"hectares|hectare|ha|acres|acre|gb|mb|kb|tb|gib|mib|hours|hour|h|minutes|minute|min|"
    r"seconds|second|s|days|day|weeks|week"
)
PLACE = r"[A-Za-zÀ-ÿ_/]+(?:[ ][A-Z][A-Za-zÀ-ÿ]+)*"
TIME = r"\d{1,2}(?::\d{2})?\s*(?:am|pm)?"


@dataclass(frozen=True, kw_only=True, slots=True)
class Intent:
    """A tool that would help, by the name its server gives it, and with what."""

    tool: str
    arguments: Arguments
    why: str


def read(question: str) -> list[Intent]:
    """Everything in the question that a tool can answer, in the order it was asked."""
    found: list[tuple[int, Intent]] = []
    taken: list[tuple[int, int]] = []
    for pattern, make in ROWS:
        for match in pattern.finditer(question):
            if any(match.start() < end and start < match.end() for start, end in taken):
                continue
            intents = make(match)
            if intents:
                taken.append(match.span())
                found += [(match.start(), intent) for intent in intents]
    return [intent for _, intent in sorted(found, key=lambda row: row[0])]


def _places(text: str) -> Sequence[str]:
    parts = re.split(r"\s*(?:,|\b(?:and|und)\b|&)\s*(?:in\s+)?", text.strip(" ?.!"))
    stop = {"the", "what", "is", "it", "now", "right", "time", "convert"}
    return [part.strip() for part in parts if part.strip() and part.lower() not in stop]


def _time(match: re.Match[str]) -> list[Intent]:
    return [
        Intent(
            tool="current_time", arguments={"timezone": place}, why=f"the current time in {place}"
        )
        for place in _places(match["places"])
    ]


def _local_time(match: re.Match[str]) -> list[Intent]:
    return [Intent(tool="current_time", arguments={"timezone": "UTC"}, why="the current time")]


def _convert_time(match: re.Match[str]) -> list[Intent]:
    arguments = {
        "time": match["time"].strip(),
        "from_timezone": match["source"].strip(),
        "to_timezone": match["target"].strip(" ?.!"),
    }
    return [Intent(tool="convert_time", arguments=arguments, why="a time in another zone")]


def _units(match: re.Match[str]) -> list[Intent]:
    value = float(match["value"].replace(",", ""))
    arguments = {
        "value": int(value) if value == int(value) else value,
        "from_unit": match["source"],
        "to_unit": match["target"],
    }
    return [Intent(tool="convert_units", arguments=arguments, why="a conversion of units")]


def _percent(match: re.Match[str]) -> list[Intent]:
    expression = f"{match['part']}% of {match['whole']}".replace(",", "")
    return [Intent(tool="calculate", arguments={"expression": expression}, why="a calculation")]


def _calculation(match: re.Match[str]) -> list[Intent]:
    expression = match[0].strip(" ?.=!,")
    if not re.search(r"\d\s*(?:\*\*|//|[-+*/%^×÷])\s*[(\d]|\)\s*[-+*/%^]|sqrt", expression):
        return []
    if re.fullmatch(r"\d{4}-\d{1,2}-\d{1,2}|\d+/\d+/\d+", expression):
        return []
    expression = expression.replace("×", "*").replace("÷", "/").replace("^", "**")
    return [Intent(tool="calculate", arguments={"expression": expression}, why="a calculation")]


def _slow(match: re.Match[str]) -> list[Intent]:
    seconds = min(int(match["seconds"] or 5), 120)
    arguments = {"seconds": seconds, "steps": max(2, min(seconds, 20))}
    return [Intent(tool="slow_task", arguments=arguments, why="a task that takes a while")]


def _ring(match: re.Match[str]) -> list[Intent]:
    times = max(1, min(int(match["times"] or 1), 100))
    return [Intent(tool="ring_bell", arguments={"times": times}, why="the bell")]


def _reset(match: re.Match[str]) -> list[Intent]:
    return [Intent(tool="reset_bell", arguments={}, why="the count of the bell")]


def _docs(match: re.Match[str]) -> list[Intent]:
    query = match["query"].strip(" ?.!\"'")
    arguments = {"query": query, "limit": 5}
    return [Intent(tool="search_docs", arguments=arguments, why="something in the documentation")]


def _row(
    pattern: str, make: Callable[[re.Match[str]], list[Intent]], flags: int = re.IGNORECASE
) -> tuple[re.Pattern[str], Callable[[re.Match[str]], list[Intent]]]:
    return re.compile(pattern, flags), make


# The first row that matches a stretch of the question takes it.
ROWS = (
    _row(
        rf"\b(?P<time>{TIME})\s+(?:in\s+)?(?P<source>[A-Z]\w+(?: [A-Z]\w+)*)(?: time)?\s+"
        rf"(?:in|to|is what in)\s+(?P<target>[A-Z]\w+(?: [A-Z]\w+)*)(?: time)?",
        _convert_time,
        0,
    ),
    _row(
        r"\b(?:time|spät)\b[^?.!\n]*?\b(?:in|for|at)\s+"
        r"(?P<places>[A-ZÀ-Þ][\w/]*(?:[ ][A-ZÀ-Þ][\w/]*)*"
        r"(?:\s*(?:,|and|und|&|,\s*and)\s+(?:in\s+)?[A-ZÀ-Þ][\w/]*(?:[ ][A-ZÀ-Þ][\w/]*)*)*)",
        _time,
        0,
    ),
    _row(r"\btime\b[^?.!\n]*?\b(?:in|for)\s+(?P<places>[a-z]{3,}(?:[ ]?/?[a-z]{3,})?)", _time),
    _row(r"\bwhat time is it\b|\bcurrent time\b|\bwhat'?s the time\b", _local_time),
    _row(
        rf"\b(?:how (?:many|much)|wie viele?)\s+(?P<target>{UNIT})\b[^\d?]*"
        rf"(?P<value>{NUMBER})\s*(?P<source>{UNIT})\b",
        _units,
    ),
    _row(
        rf"(?P<value>{NUMBER})\s*°?\s*(?P<source>{UNIT})\s+(?:to|into|in|as)\s+(?P<target>{UNIT})\b",
        _units,
    ),
    _row(rf"(?P<part>{NUMBER})\s*(?:%|percent)\s+(?:of|von)\s+(?P<whole>{NUMBER})", _percent),
    _row(r"\bring\b[^?.!\n]*?\bbell\b(?:\s+(?P<times>\d{1,3})\s+times)?", _ring),
    _row(r"\breset\b[^?.!\n]*?\bbell\b", _reset),
    _row(r"\b(?:slow|langsame)\b[^\d?]*(?:(?P<seconds>\d+)\s*s(?:ec\w*)?)?", _slow),
    _row(
        r"\b(?:search|look|suche)\b[^?\n]*?\b(?:docs?|documentation|dokumentation)\b"
        r"(?:\s+(?:for|about|nach))?\s+"
        r"(?P<query>[^?\n]+)",
        _docs,
    ),
    _row(
        r"\b(?P<query>how (?:do|can|does|to) (?:i |you |we |it )?[^?\n]*"
        r"\b(?:tools?|token|api|model|server|key|ferryline|docker|settings?)\b[^?\n]*)",
        _docs,
    ),
    _row(r"(?:sqrt\s*\(|[-(]*\d)[\d\s.,()+*/%^×÷sqrt-]*[\d)]", _calculation),
)
