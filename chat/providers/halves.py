"""Characters that arrive in two halves: a surrogate pair cut between two pieces of text."""


class Halves:
    """Joins what one piece ends with to what the next begins with."""

    def __init__(self) -> None:
        self._half = ""

    def add(self, text: str) -> str:
        """The text that is whole now; a first half at its end waits for the next piece."""
        if self._half:
            text = joined(self._half + text)
            self._half = ""
        if "\ud800" <= text[-1:] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return text

    def is_whole(self, text: str) -> bool:
        """Whether this piece has nothing to do with its neighbours."""
        return not self._half and not "\ud800" <= text[-1:] <= "\udbff"

    def rest(self) -> str:
        """A half whose other half never came. Forgets it."""
        half, self._half = self._half, ""
        return half


def joined(text: str) -> str:
    """Neighbouring halves are one character; lone ones stay as they are."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
