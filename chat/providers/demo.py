"""The built-in demo model: no network, no key, no intelligence. It says so itself.

It streams like a real one and drives the real loop: it picks fitting tools from those it is
offered, asks for them, and speaks about their results.
"""

import asyncio
import re
import uuid
from collections.abc import AsyncGenerator, Iterator, Sequence

from chat.agent.ports import (
    ContentDelta,
    ProviderEvent,
    ReasoningDelta,
    StepFinished,
    ToolCallsAsked,
)
from chat.providers import demo_intents
from chat.tools import Tool, ToolCall
from chat.transcript import ChatMessage

WORD_SECONDS = 0.018
RESULT_CHARACTERS = 1_500

INTRODUCTION = """\
I am the **demo model** that comes along with this server. I am not a language model: I only \
recognise a few kinds of questions, so that you can see how everything works without a key.

Ask me, for example:

- What time is it in Tokyo and in New York?
- 18% of 249.90
- Convert 5 miles to km
- Search the docs for journal
- Run the slow task for 10 seconds
- Show me a markdown sample

To talk to a real model, put `OPENROUTER_API_KEY` or `LLM_BASE_URL` into `.env` and start the \
server again.
"""
SAMPLE = """\
## A sample of everything

Text can be **bold**, *italic* or `code`, and it can hold [a link](https://example.org/).

1. First
2. Second
   - with a point below

> A quotation.

| Unit | In metres |
|------|----------:|
| 1 km | 1,000 |
| 1 mi | 1,609.344 |

```python
def greet(name: str) -> str:
    return f"Hello, {name}!"
```

That was all of it.
"""


class DemoProvider:
    """Implements ports.Provider."""

    def __init__(self, *, model_name: str = "demo") -> None:
        self.model_name = model_name

    async def chat_stream(
        self, transcript: Sequence[ChatMessage], tools: Sequence[Tool]
    ) -> AsyncGenerator[ProviderEvent, None]:
        """See ports.Provider."""
        question = next(
            (str(m["content"]) for m in reversed(transcript) if m["role"] == "user"), ""
        )
        if transcript and transcript[-1]["role"] == "tool":
            text = speak(transcript)
        else:
            intents = demo_intents.read(question)
            calls = [call for intent in intents if (call := _call(intent, tools))]
            if calls:
                needs = " and ".join(dict.fromkeys(intent.why for intent in intents))
                for word in _words(f"The question needs {needs}."):
                    await asyncio.sleep(WORD_SECONDS)
                    yield ReasoningDelta(text=word)
                yield ToolCallsAsked(calls=calls)
                yield StepFinished()
                return
            text = _without_tools(question, intents)
        for word in _words(text):
            await asyncio.sleep(WORD_SECONDS)
            yield ContentDelta(text=word)
        yield StepFinished()


def _call(intent: demo_intents.Intent, tools: Sequence[Tool]) -> ToolCall | None:
    """The call of the first offered tool of that name, also where a prefix was put before it."""
    for tool in tools:
        if intent.tool in (tool.name, tool.remote_name) or tool.name.endswith(f"_{intent.tool}"):
            call_id = f"call_{uuid.uuid4().hex[:12]}"
            return ToolCall(id=call_id, name=tool.name, arguments=intent.arguments)
    return None


def _without_tools(question: str, intents: Sequence[demo_intents.Intent]) -> str:
    if intents:
        needs = " and ".join(dict.fromkeys(intent.why for intent in intents))
        return (
            f"For this I would need {needs}, but no tool that gives it is at hand just now. "
            "I am only the demo model and do not make answers up."
        )
    if re.search(r"\bmarkdown\b", question, re.IGNORECASE):
        return SAMPLE
    return INTRODUCTION


def speak(transcript: Sequence[ChatMessage]) -> str:
    """An answer made of the results at the end of the transcript."""
    results: list[ChatMessage] = []
    for message in reversed(transcript):
        if message["role"] != "tool":
            asked = message.get("tool_calls", [])
            break
        results.insert(0, message)
    names = {call["id"]: call["function"]["name"] for call in asked}
    lines = [_line(names.get(m["tool_call_id"], ""), str(m["content"])) for m in results]
    if len(lines) == 1:
        return lines[0]
    return "Here is what the tools said:\n\n" + "\n".join(_item(line) for line in lines)


def _line(name: str, result: str) -> str:
    text = result.strip() or "It gave no text back."
    if len(text) > RESULT_CHARACTERS:
        text = text[:RESULT_CHARACTERS].rstrip() + " …"
    if name.endswith("search_docs"):
        return f"This is what the documentation says:\n\n{text}"
    return text


def _item(text: str) -> str:
    return "- " + text.replace("\n", "\n  ")


def _words(text: str) -> Iterator[str]:
    """The text in pieces as a model streams it; joined they are the text."""
    yield from re.findall(r"\s*\S+|\s+$", text)
