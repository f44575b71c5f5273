"""How a demo tool says no."""


class Refused(Exception):
    """The tool will not do this; the text is a sentence that says why, for whoever asked."""
