"""Characters that arrive in two halves: a surrogate pair cut between two pieces of text."""


class Halves:
    """Joins what one piece ends with to what the next begins with."""

    def __init__(self) -> None:
        # Waits for its other half.
        self.half = ""

    def add(self, text: str) -> str:
        """The text that is whole now; a first half at its end waits for the next piece."""
        if self.half:
            text = joined(self.half + text)
            self.half = ""
        if "\ud800" <= text[-1:] <= "\udbff":
            text, self.half = text[:-1], text[-1]
        return text

    def rest(self) -> str:
        """A half whose other half never came. Forgets it."""
        half, self.half = self.half, ""
        return half


def joined(text: str) -> str:
    """Neighbouring halves are one character; lone ones stay as they are."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
