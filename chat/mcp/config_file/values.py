"""One object of a configuration file: values of the right type, names in them filled in.

Nothing is raised for a mistake. It is kept, with its place, and reading goes on.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chat.mcp.config_file.places import Places, Where
from chat.mcp.credentials import NAME, filled_in, missing_in

# Shorter values are no secrets, and masking them would garble what is shown.
MIN_SECRET_CHARACTERS = 6
_FOREIGN = re.compile(r"\$\{(?![A-Za-z_][A-Za-z0-9_]*\})")
_KINDS = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with the key, or with the value, at a place."""

    where: Where
    what: str
    of_value: bool = False

    def spot(self, places: Places) -> tuple[int, int]:
        """Line and column."""
        return places.of_value(self.where) if self.of_value else places.of_key(self.where)

    def __str__(self) -> str:
        names = [f'"{part}"' if isinstance(part, str) else f"no. {part + 1}" for part in self.where]
        return f"{' → '.join(names[1:] or names)} {self.what}"


class Values:
    """`secrets`: the values that should not be shown, once they have been read."""

    def __init__(
        self, where: Where, found: Mapping[str, Any], variables: Mapping[str, str] | None
    ) -> None:
        """Without `variables`, names are left as they are and none is missing."""
        self.where = where
        self.found = found
        self.complaints: list[Complaint] = []
        self.secrets: set[str] = set()
        self._variables = variables

    def __contains__(self, key: str) -> bool:
        return key in self.found

    def complain(self, what: str, *path: str | int, of_value: bool = False) -> None:
        self.complaints.append(Complaint((*self.where, *path), what, of_value))

    def text(self, key: str) -> str:
        return self._text(self.found.get(key, ""), key)

    def texts(self, key: str) -> tuple[str, ...]:
        found = self._of_type(list, [], key)
        return tuple(self._text(value, key, index) for index, value in enumerate(found))

    def table(self, key: str) -> dict[str, str]:
        """Whoever wrote these values down may have written secrets."""
        found = self._of_type(dict, {}, key)
        table = {name: self._text(value, key, name) for name, value in found.items()}
        self._keep_secret(*table.values())
        return table

    def flag(self, key: str) -> bool:
        return bool(self._of_type(bool, False, key))

    def number(self, key: str, *, most: float) -> float | None:
        """A number above 0; None where there is none."""
        if key not in self.found:
            return None
        value = self.found[key]
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= most:
            return float(value)
        self.complain(f"must be a number above 0, {most:,} at most", key, of_value=True)
        return None

    def _of_type(self, kind: type, default: Any, key: str) -> Any:
        value = self.found.get(key, default)
        if isinstance(value, kind):
            return value
        self.complain(f"must be {_KINDS[kind]}", key, of_value=True)
        return default

    def _text(self, value: Any, *path: str | int) -> str:
        if not isinstance(value, str):
            self.complain("must be a text, in double quotes", *path, of_value=True)
            return ""
        if "\0" in value or (path[0] == "headers" and not value.isprintable()):
            self.complain("has a character in it that may not be there", *path, of_value=True)
        return self._filled_in(value, path)

    def _filled_in(self, text: str, path: tuple[str | int, ...]) -> str:
        if _FOREIGN.search(text):
            what = "has a ${ that is not understood; the value of a variable is written ${NAME}"
            self.complain(what, *path, of_value=True)
        if self._variables is None:
            return text
        for name in dict.fromkeys(missing_in(text, self._variables)):
            what = (
                f"needs the variable {name}, which is not set; set it in the environment or in "
                ".env (variables of the site itself, like SECRET_KEY, are kept from servers)"
            )
            self.complain(what, *path, of_value=True)
        self._keep_secret(*(self._variables.get(name, "") for name in NAME.findall(text)))
        return filled_in(text, self._variables)

    def _keep_secret(self, *values: str) -> None:
        self.secrets.update(value for value in values if len(value) >= MIN_SECRET_CHARACTERS)
