"""A mail server on a socket; keeps what it is given."""

from email import message_from_bytes
from email.message import Message
from email.policy import default
from types import TracebackType
from typing import Any, Self

from aiosmtpd.controller import Controller

from tests.servers.site import free_port


class MailServer:
    """`url` is what EMAIL_URL takes; `mails` are there once the sender has its answer."""

    def __init__(self) -> None:
        self.mails: list[Message] = []
        self._controller = Controller(self, hostname="127.0.0.1", port=free_port())
        self.url = f"smtp://127.0.0.1:{self._controller.port}"

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._controller.stop()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.mails.append(message_from_bytes(envelope.content, policy=default))
        return "250 OK"
