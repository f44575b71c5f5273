"""What is asked in a round: questions whose answers are known, and tools that count their calls."""

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.types import ToolAnnotations

from tests.servers.mcp_server import ScriptedMCPServer

WORDS = ["ferry", "tide", "rope", "“quay”", "mañana", "渡し船", "🛶", "<b>bold</b>", "back\\slash"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Script:
    """A question, and what must become of its run: `code` of its error, or "" and its `final`
    text. `markers`: the arguments of its calls of `once`. `is_stopped`: the person stops it.
    `is_asked`: a call waits until the person allows it.
    """

    question: str
    final: str = ""
    code: str = ""
    markers: tuple[str, ...] = ()
    is_stopped: bool = False
    is_asked: bool = False


class CountingMCPServer(ScriptedMCPServer):
    """With three more tools. `once` may not be repeated after a crash; `again` says that it may;
    `ask` is called when a person has allowed it.
    """

    def _add_quick_tools(self, server: MCPServer) -> None:
        super()._add_quick_tools(server)

        async def work(context: Context, marker: str, seconds: float = 0, size: int = 0) -> str:
            self.calls.append((marker, {}))
            for step in range(4):
                await asyncio.sleep(seconds / 4)
                await context.report_progress(step + 1, 4, f"step {step + 1}")
            return f"{marker} " + "long " * (size // 5)

        server.add_tool(work, name="once", description="Counts.")
        asked = ToolAnnotations(destructive_hint=True, idempotent_hint=True)
        server.add_tool(work, name="ask", description="Counts.", annotations=asked)
        harmless = ToolAnnotations(read_only_hint=True, idempotent_hint=True)
        server.add_tool(work, name="again", description="Counts.", annotations=harmless)

    def count(self, marker: str) -> int:
        """How often a tool was started with this marker."""
        return sum(name == marker for name, _ in self.calls)


def scripts(chance: random.Random, name: str) -> list[Script]:
    """One of each kind; `name` makes the markers of their calls the round's own."""
    marker = _markers(name)
    return [
        _long_text(chance),
        _thoughts(chance),
        _tools(chance, marker, steps=1),
        _tools(chance, marker, steps=chance.randint(2, 3)),
        _failure(chance, marker),
        _stopped(chance, marker),
        _asked(chance, marker),
    ]


def _markers(name: str) -> Callable[[], str]:
    numbers = iter(range(1, 1000))
    return lambda: f"{name}-{next(numbers)}"


def _words(chance: random.Random, most: int) -> str:
    return " ".join(chance.choices(WORDS, k=chance.randint(3, most)))


def _tokens(count: int) -> str:
    return "".join(f"t{number} " for number in range(1, count + 1))


def _long_text(chance: random.Random) -> Script:
    count = chance.randint(100, 400)
    return Script(question=f"[[tokens {count} delay 3]]", final=_tokens(count))


def _thoughts(chance: random.Random) -> Script:
    thought, final = _words(chance, 80), _words(chance, 150)
    return Script(question=f"[[reason {thought}]][[text {final}]]", final=final)


def _tools(chance: random.Random, marker: Callable[[], str], *, steps: int) -> Script:
    """Parallel calls in each step, some of them after thoughts and text."""
    parts, once = [], []
    for _ in range(steps):
        said = f"[[reason {_words(chance, 9)}]][[text {_words(chance, 9)}]]"
        calls = []
        for _ in range(chance.randint(1, 3)):
            name, own = chance.choice(["once", "once", "again"]), marker()
            calls.append(_call(chance, own, name))
            once += [own] * (name == "once")
        parts.append((said if chance.random() < 0.5 else "") + "".join(calls))
    final = _words(chance, 40)
    question = "[[then]]".join([*parts, f"[[text {final}]]"])
    return Script(question=question, final=final, markers=tuple(once))


def _call(chance: random.Random, marker: str, name: str = "once") -> str:
    seconds, size = chance.choice([0, 0, 0.1, 0.4, 0.9]), chance.choice([0, 0, 2_000, 60_000])
    arguments = {"marker": marker, "seconds": seconds, "size": size}
    return f"[[call {name} {json.dumps(arguments)}]]"


def _failure(chance: random.Random, marker: Callable[[], str]) -> Script:
    own = marker()
    begin = f"{_call(chance, own)}[[then]][[tokens {chance.randint(5, 80)} delay 5]]"
    end, code = chance.choice([("[[cut]]", "LLM_INCOMPLETE"), ("[[error scripted]]", "LLM_ERROR")])
    return Script(question=begin + end, code=code, markers=(own,))


def _asked(chance: random.Random, marker: Callable[[], str]) -> Script:
    """Beside a call that goes on meanwhile."""
    own, other, final = marker(), marker(), _words(chance, 40)
    calls = _call(chance, own, "ask") + _call(chance, other)
    question = f"{calls}[[then]][[text {final}]]"
    return Script(question=question, final=final, markers=(own, other), is_asked=True)


def _stopped(chance: random.Random, marker: Callable[[], str]) -> Script:
    own = marker()
    call = f"{_call(chance, own)}[[then]]" if chance.random() < 0.5 else ""
    return Script(
        question=f"{call}[[tokens 300 delay 5]]",
        final=_tokens(300),
        markers=(own,) if call else (),
        is_stopped=True,
    )
