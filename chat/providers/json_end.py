"""Where a JSON value ends that arrives in pieces."""


class JsonEnd:
    """Feed it the pieces; linear in time, whatever they hold.

    `is_reached`: what came so far is one whole object, array or string. It knows brackets and
    strings, not the grammar: what is no JSON at all may end anywhere.
    """

    def __init__(self) -> None:
        self.is_reached = False
        self._depth = 0
        self._in_string = False
        self._is_escaped = False

    def add(self, text: str) -> None:
        for character in text:
            if self._is_escaped:
                self._is_escaped = False
            elif self._in_string:
                self._read_in_string(character)
            else:
                self._read(character)

    def _read_in_string(self, character: str) -> None:
        if character == "\\":
            self._is_escaped = True
        elif character == '"':
            self._in_string = False
            self.is_reached = self._depth == 0

    def _read(self, character: str) -> None:
        if character == '"':
            self._in_string = True
        elif character in "{[":
            self._depth += 1
        elif character in "}]":
            self._depth -= 1
            self.is_reached = self._depth == 0
