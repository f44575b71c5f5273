"""What the model is shown of a conversation: whole turns, the newest ones, as many as fit."""

import json
from collections.abc import Sequence
from itertools import pairwise

from chat.tools import Tool
from chat.transcript import ChatMessage

# English has about four bytes to a token, other languages and JSON fewer: rather too careful.
BYTES_PER_TOKEN = 3
# What the answer may need: this part of the context stays free.
FREE_PART = 1 / 4


class Memory:
    """The messages for the model. A turn is a question with all that answered it.

    Turns are left out from the oldest on and only whole, so that no tool call is ever without its
    result; the system prompt and the turn in progress always stay. `max_tokens`: the size of the
    model's context, 0 where it is not known. `left_out`: how many turns are not shown.
    """

    def __init__(
        self, history: Sequence[ChatMessage], *, max_tokens: int = 0, left_out: int = 0
    ) -> None:
        starts = [at for at, message in enumerate(history) if message["role"] == "user"]
        self._head = list(history[: starts[0]] if starts else history)
        bounds = [*starts, len(history)]
        self._turns = [list(history[start:end]) for start, end in pairwise(bounds)]
        self._budget = int(max_tokens * (1 - FREE_PART))
        self.left_out = 0
        self._leave_out(left_out)

    @property
    def messages(self) -> list[ChatMessage]:
        return [*self._head, *(message for turn in self._turns for message in turn)]

    def add(self, messages: Sequence[ChatMessage]) -> None:
        """More of the turn in progress."""
        if self._turns:
            self._turns[-1].extend(messages)
        else:
            self._head.extend(messages)

    def fit(self, tools: Sequence[Tool]) -> bool:
        """Leave out what is more than fits; whether anything was."""
        if not self._budget:
            return False
        free = self._budget - _tokens(self._head)
        free -= _tokens([tool.to_tool_definition() for tool in tools])
        kept = 0
        for turn in reversed(self._turns):
            free -= _tokens(turn)
            if free < 0:
                break
            kept += 1
        return self._leave_out(len(self._turns) - kept)

    def halve(self) -> bool:
        """Leave out the older half of the finished turns; False if there is none."""
        return self._leave_out(len(self._turns) // 2)

    def _leave_out(self, count: int) -> bool:
        count = min(count, len(self._turns) - 1)
        if count <= 0:
            return False
        del self._turns[:count]
        self.left_out += count
        return True


def _tokens(value: object) -> int:
    """An estimate, on the high side."""
    return len(json.dumps(value, ensure_ascii=False).encode(errors="replace")) // BYTES_PER_TOKEN
