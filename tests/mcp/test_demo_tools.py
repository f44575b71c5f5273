"""What the demo tools answer, and what they refuse in words."""

import re
from pathlib import Path

import pytest

from chat.mcp.demo import calculator, clock, docs, units
from chat.mcp.demo.refused import Refused


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("18% of 249.90", "44.982"),
        ("0.1 + 0.2", "0.3"),
        ("(2 + 3) * 4 - 6 / 3", "18"),
        ("7 // 2 + 7 % 4", "6"),
        ("-7 // 2", "-4"),
        ("-7 % 3", "2"),
        ("2 ** 10", "1024"),
        ("2^100", "1267650600228229401496703205376"),
        ("sqrt(2) * sqrt(2)", "2"),
        ("50% * 3", "1.5"),
        ("1,234.5 + 1", "1235.5"),
        ("3 × 4 ÷ 2 − 1", "5"),
        ("round(pi, 4)", "3.1416"),
        ("max(1, 2, 3) =", "3"),
        ("1 / 3", "0.33333333333333333333"),
        ("max(1,200)", "200"),
        ("min(100,200) + max(5)", "105"),
        ("7 % (-3)", "-2"),
        ("12345678901234567.89 + 1", "12345678901234568.89"),
    ],
)
def test_calculations(expression: str, expected: str) -> None:
    assert calculator.calculate(expression) == expected


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("", "nothing"),
        ("1 / 0", "zero"),
        ("9 ** 9 ** 9", "too large"),
        ("2 ** 1001", "too large"),
        ("10 ** 1000 ** 2", "too large"),
        ("1+" * 200 + "1", "too long"),
        ("abs(" * 39 + "1+1" + ")" * 39, "nested"),
        ("-" * 60 + "1", "nested"),
        ("sqrt(0-1)", "no result"),
        ("sqrt(1, 2)", "does not take 2"),
        ("__import__('os').system('true')", "Only numbers"),
        ("open('/etc/passwd')", "Only numbers"),
        ("(1).__class__", "Only numbers"),
        ("[1] * 10", "Only numbers"),
        ("'a' * 10", "Only numbers"),
        ("True + 1", "Only numbers"),
        ("two plus two", "not an expression"),
        ("1 +", "not an expression"),
        ("1e999 * 1e999", "no result"),
        ("round(1, 10 ** 40)", "digits"),
        ("2 ** 200 % 7", "too large"),
        ("2 ** 200 // 10 ** 55", "too large"),
        ("5 % 0", "zero"),
        ("5 // 0", "zero"),
    ],
)
def test_calculations_that_are_refused(expression: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        calculator.calculate(expression)


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        (5, "miles", "km", "5 mi = 8.04672 km"),
        (100, "°F", "Celsius", "100 °F = 37.7777778 °C"),
        (-40, "C", "F", "-40 °C = -40 °F"),
        (0, "K", "degrees celsius", "0 K = -273.15 °C"),
        (1, "gallon", "liters", "1 gal = 3.78541178 L"),
        (2, "fluid ounces", "ml", "2 fl oz = 59.1470591 mL"),
        (100, "km/h", "mph", "100 km/h = 62.1371192 mph"),
        (1, "hectare", "m²", "1 ha = 10000 m²"),
        (100, "square feet", "square meters", "100 ft² = 9.290304 m²"),
        (1, "GiB", "MB", "1 GiB = 1073.74182 MB"),
        (1, "TiB", "bytes", "1 TiB = 1099511627776 B"),
        (1234567890.5, "m", "mm", "1234567890.5 m = 1234567890500 mm"),
        (90, "minutes", "hours", "90 min = 1.5 h"),
        (0.1, "kg", "g", "0.1 kg = 100 g"),
        (3, "nautical miles", "m", "3 nmi = 5556 m"),
    ],
)
def test_conversions(value: float, source: str, target: str, expected: str) -> None:
    assert units.convert(value, source, target) == expected


@pytest.mark.parametrize(
    ("value", "source", "target", "why"),
    [
        (1, "km", "kg", "km is a unit of length, kg is one of mass."),
        (1, "celsius", "m", "temperature"),
        (-500, "C", "K", "Nothing is colder than -273.15 °C."),
        (1, "smoots", "m", "'smoots' is not known"),
        (1, "m", "", "'' is not known"),
        (float("inf"), "m", "km", "too large"),
        (float("nan"), "m", "km", "too large"),
        (1e40, "m", "km", "too large"),
    ],
)
def test_conversions_that_are_refused(value: float, source: str, target: str, why: str) -> None:
    with pytest.raises(Refused, match=re.escape(why)):
        units.convert(value, source, target)


@pytest.mark.parametrize(
    ("place", "zone"),
    [
        ("Tokyo", "Asia/Tokyo"),
        ("new york", "America/New_York"),
        ("Europe/Berlin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        (" San  Francisco ", "America/Los_Angeles"),
        ("Tokyo, Japan", "Asia/Tokyo"),
        ("San Francisco, California", "America/Los_Angeles"),
        ("UTC", "UTC"),
    ],
)
def test_places_are_found_by_city_or_by_zone(place: str, zone: str) -> None:
    assert clock.find_zone(place).key == zone


def test_the_current_time_names_place_day_and_distance_from_utc() -> None:
    said = clock.current_time("tokyo")

    assert re.fullmatch(
        r"It is \d\d:\d\d on \w+day, \d+ \w+ \d{4} in Tokyo \(Asia/Tokyo, UTC\+09:00\)\.", said
    )


@pytest.mark.parametrize(
    ("time", "source", "target", "part"),
    [
        ("15:30", "UTC", "Tokyo", "15:30 in UTC (UTC+00:00) is 00:30 the next day in Tokyo"),
        ("3pm", "Tokyo", "UTC", "15:00 in Tokyo (Asia/Tokyo, UTC+09:00) is 06:00 in UTC"),
        ("12 am", "Tokyo", "UTC", "00:00 in Tokyo (Asia/Tokyo, UTC+09:00) is 15:00 the day before"),
        ("00:30", "Pacific/Kiritimati", "Pacific/Pago_Pago", "23:30 -2 days in"),
    ],
)
def test_times_are_converted(time: str, source: str, target: str, part: str) -> None:
    assert part in clock.convert_time(time, source, target)


def test_unknown_times_and_places_are_refused() -> None:
    with pytest.raises(Refused, match="Atlantis"):
        clock.current_time("Atlantis")
    with pytest.raises(Refused, match=r"GMT\+5"):
        clock.current_time("GMT+5")
    with pytest.raises(Refused, match=r"\.\./etc"):
        clock.current_time("../etc/passwd")
    for time in ("25:00", "12:60", "noonish", "13pm", ""):
        with pytest.raises(Refused, match="no time of day"):
            clock.convert_time(time, "UTC", "UTC")


def test_the_documentation_is_searched_by_section(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "README.md").write_text("# Ferryline\n\nStart it.\n\n## Tools\n\nOver MCP.\n")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "backups.md").write_text("# Backups\n\nCopy the database file.\n")
    monkeypatch.setattr(docs, "ROOT", tmp_path)
    docs.sections.cache_clear()
    try:
        assert docs.search("how do tools work", 5) == ("- **Tools** (README.md): Over MCP. …")
        assert "(docs/backups.md): Copy the database file." in docs.search("database", 1)
        assert docs.search("zebra", 5) == "The documentation says nothing about 'zebra'."
    finally:
        docs.sections.cache_clear()
