"""The WebSocket of a page: which of my conversations moved. Answers themselves are streams."""

from functools import partial
from typing import Any

from channels.generic.websocket import AsyncJsonWebsocketConsumer

from chat.runs.announce import group_of, wire_form
from chat.runs.readers import Reader

NOT_SIGNED_IN = 4401


class SidebarConsumer(AsyncJsonWebsocketConsumer):
    """Passes a person's announcements on to one open page; takes nothing from it."""

    group = ""
    reader: Reader | None = None

    async def connect(self) -> None:
        user = self.scope["user"]
        if not user.is_authenticated or not user.is_active:
            await self.close(code=NOT_SIGNED_IN)
            return
        self.group = group_of(user.pk)
        await self.channel_layer.group_add(self.group, self.channel_name)
        self.reader = Reader(
            person_id=user.pk,
            session_key=self.scope["session"].session_key or "",
            on_refused=partial(self.close, code=NOT_SIGNED_IN),
        )
        await self.accept()

    async def disconnect(self, code: int) -> None:
        self.reader = None
        if self.group:
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Nothing that a page says here matters."""

    async def conversation_moved(self, message: dict[str, Any]) -> None:
        await self.send_json(wire_form(message))
