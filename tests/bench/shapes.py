"""What is asked of a server: how many streams, how long, how fast."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """`delay_ms`: between two tokens; 0: as fast as they can be written. `calls`: of a tool, before
    the text. `history`: messages that the conversation already has.

    The streams begin within `ramp_seconds`.
    """

    name: str
    streams: int
    tokens: int
    delay_ms: int
    ramp_seconds: float = 1
    calls: int = 0
    history: int = 0

    @property
    def question(self) -> str:
        """The message that makes the scripted model answer like this."""
        return f"tokens={self.tokens} delay={self.delay_ms} calls={self.calls}"


SHAPES = {
    shape.name: shape
    for shape in (
        Shape(name="warm", streams=4, tokens=20, delay_ms=5, ramp_seconds=0),
        Shape(name="S1", streams=1, tokens=300, delay_ms=20),
        Shape(name="S2", streams=50, tokens=200, delay_ms=20),
        Shape(name="S3", streams=200, tokens=200, delay_ms=50, ramp_seconds=2),
        Shape(name="S4", streams=1, tokens=5_000, delay_ms=0),
        Shape(name="S5", streams=50, tokens=200, delay_ms=20, calls=1),
        Shape(name="short", streams=10, tokens=1_000, delay_ms=5, history=10),
        Shape(name="long", streams=10, tokens=1_000, delay_ms=5, history=1_000),
    )
}
