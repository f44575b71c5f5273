"""Where in a JSON text everything stands: what `json` reads, but does not tell."""

import json
import re
from collections.abc import Iterator

Where = tuple[str | int, ...]

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+')


class Places:
    """The offsets of a text's keys and values, by path. The text must be what `json` accepts.

    `repeated`: the keys that an object has more than once, of which `json` reads the last.
    """

    def __init__(self, text: str) -> None:
        self.repeated: list[Where] = []
        self._text = text
        self._keys: dict[Where, int] = {}
        self._values: dict[Where, int] = {}
        tokens = _TOKEN.finditer(text)
        self._value((), next(tokens), tokens)

    def of_key(self, path: Where) -> tuple[int, int]:
        """Line and column, from 1, of the key that leads to this value."""
        return self._spot(self._keys.get(path, 0))

    def of_value(self, path: Where) -> tuple[int, int]:
        """Line and column, from 1, of the first character of this value."""
        return self._spot(self._values.get(path, 0))

    def _spot(self, offset: int) -> tuple[int, int]:
        before = self._text[:offset]
        return before.count("\n") + 1, offset - before.rfind("\n")

    def _value(self, path: Where, token: re.Match[str], rest: Iterator[re.Match[str]]) -> None:
        self._values[path] = token.start()
        if token[0] == "{":
            self._object(path, rest)
        elif token[0] == "[":
            self._array(path, rest)

    def _object(self, path: Where, tokens: Iterator[re.Match[str]]) -> None:
        while (key := next(tokens))[0] != "}":
            if key[0] == ",":
                continue
            inner = (*path, json.loads(key[0]))
            if inner in self._keys:
                self.repeated.append(inner)
                self._forget(inner)
            self._keys[inner] = key.start()
            next(tokens)  # the colon
            self._value(inner, next(tokens), tokens)

    def _forget(self, path: Where) -> None:
        """What stood there before, so that only the whole of it counts as repeated."""
        self._keys = {key: at for key, at in self._keys.items() if key[: len(path)] != path}

    def _array(self, path: Where, tokens: Iterator[re.Match[str]]) -> None:
        index = 0
        while (token := next(tokens))[0] != "]":
            if token[0] != ",":
                self._value((*path, index), token, tokens)
                index += 1
