"""Time and time zones, for the demo tools."""

import re
from datetime import datetime, time
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from chat.mcp.demo.refused import Refused

# Cities that have no time zone of their own name.
CITIES = {
    "beijing": "Asia/Shanghai",
    "delhi": "Asia/Kolkata",
    "new delhi": "Asia/Kolkata",
    "mumbai": "Asia/Kolkata",
    "bangalore": "Asia/Kolkata",
    "san francisco": "America/Los_Angeles",
    "seattle": "America/Los_Angeles",
    "boston": "America/New_York",
    "washington": "America/New_York",
    "miami": "America/New_York",
    "hamburg": "Europe/Berlin",
    "munich": "Europe/Berlin",
    "münchen": "Europe/Berlin",
    "frankfurt": "Europe/Berlin",
    "cologne": "Europe/Berlin",
    "barcelona": "Europe/Madrid",
    "milan": "Europe/Rome",
    "geneva": "Europe/Zurich",
    "osaka": "Asia/Tokyo",
    "tokio": "Asia/Tokyo",
    "rio": "America/Sao_Paulo",
    "rio de janeiro": "America/Sao_Paulo",
    "cape town": "Africa/Johannesburg",
    "edinburgh": "Europe/London",
    "austin": "America/Chicago",
    "dallas": "America/Chicago",
    "houston": "America/Chicago",
    "montreal": "America/Toronto",
    "germany": "Europe/Berlin",
    "france": "Europe/Paris",
    "japan": "Asia/Tokyo",
    "india": "Asia/Kolkata",
    "uk": "Europe/London",
}
CLOCK = re.compile(r"(\d{1,2})(?:[:.](\d{2}))?\s*(am|pm)?", re.IGNORECASE)


def current_time(place: str) -> str:
    """A sentence with time, date, zone and its distance from UTC. Raises Refused."""
    zone = find_zone(place)
    now = datetime.now(zone)
    return f"It is {now:%H:%M} on {now:%A}, {now.day} {now:%B %Y} in {_named(place, zone)}."


def convert_time(clock: str, source: str, target: str) -> str:
    """Today's `clock` in `source`, as it is in `target`. Raises Refused."""
    there = find_zone(source)
    moment = datetime.combine(datetime.now(there).date(), _clock(clock), there)
    here = find_zone(target)
    result = moment.astimezone(here)
    days = (result.date() - moment.date()).days
    # From one side of the date line to the other it can be two.
    day = {0: "", 1: " the next day", -1: " the day before"}.get(days, f" {days:+d} days")
    return (
        f"{moment:%H:%M} in {_named(source, there)} is {result:%H:%M}{day} "
        f"in {_named(target, here)}."
    )


def find_zone(place: str) -> ZoneInfo:
    """A zone by its IANA name, or by a city. Raises Refused."""
    wanted = " ".join(place.replace("_", " ").lower().split())
    city = wanted.partition(",")[0]
    name = CITIES.get(wanted) or _zones().get(wanted) or CITIES.get(city) or _zones().get(city)
    if name is None:
        raise Refused(
            f"The time zone of {place[:60]!r} is not known. Try a name like Europe/Berlin."
        )
    return ZoneInfo(name)


@cache
def _zones() -> dict[str, str]:
    """Zones by their whole name and by its last part; the continents' names come first."""
    zones: dict[str, str] = {}
    names = sorted(available_timezones(), key=lambda name: (name.count("/") != 1, name))
    spoken = {name: name.replace("_", " ").lower() for name in names}
    zones.update({whole: name for name, whole in spoken.items()})
    for name, whole in spoken.items():
        # Etc/GMT+5 is what people call GMT-5: without its first part it would mislead.
        if name.startswith("Etc/"):
            continue
        zones.setdefault(whole.rsplit("/", 1)[-1], name)
    return zones


def _clock(text: str) -> time:
    match = CLOCK.fullmatch(text.strip())
    if match is None:
        raise Refused(f"{text[:40]!r} is no time of day. Try 15:30 or 3pm.")
    hour, minute, half = int(match[1]), int(match[2] or 0), (match[3] or "").lower()
    if half:
        # Half past 13 in the afternoon is not a time: 24 is refused below.
        hour = hour % 12 + (12 if half == "pm" else 0) if 1 <= hour <= 12 else 24
    if hour > 23 or minute > 59:
        raise Refused(f"{text[:40]!r} is no time of day. Try 15:30 or 3pm.")
    return time(hour, minute)


def _named(place: str, zone: ZoneInfo) -> str:
    offset = datetime.now(zone).strftime("%z")
    shown = f"{zone.key}, UTC{offset[:3]}:{offset[3:]}"
    if place.strip().lower() == zone.key.lower():
        return f"{zone.key} (UTC{offset[:3]}:{offset[3:]})"
    name = place.strip()
    return f"{name.title() if name.islower() else name} ({shown})"
