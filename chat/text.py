"""Text from outside, made fit to be stored and sent on."""


def clean(text: str) -> str:
    """NUL and lone surrogates, which no database and no UTF-8 stream can hold, are U+FFFD."""
    text = text.replace("\x00", "\ufffd")
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
