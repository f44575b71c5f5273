"""An MCP server whose tools ask the person something (elicitation), in both eras."""

from typing import Annotated, Literal

from mcp.server import MCPServer
from mcp.server.elicitation import AcceptedElicitation, ElicitationResult
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import Elicit, Resolve
from mcp.shared.exceptions import UrlElicitationRequiredError
from mcp.types import ElicitRequestURLParams
from pydantic import BaseModel, Field

from tests.servers.mcp_server import ScriptedMCPServer


class Booking(BaseModel):
    name: str = Field(title="Your name", min_length=2)
    seats: int = Field(title="Seats", ge=1, le=9, default=1)
    meal: Literal["fish", "soup"] = "soup"
    window: bool = Field(title="At the window", default=False)


class Meeting(BaseModel):
    hours: float = Field(title="Hours", default=1.5)
    begins: str = Field(
        title="Begins",
        default="2026-05-01T12:00:30+02:00",
        json_schema_extra={"format": "date-time"},
    )


def ask_for_meeting() -> Elicit[Meeting]:
    return Elicit("When shall we meet?", Meeting)


def ask_for_booking(day: str) -> Elicit[Booking]:
    return Elicit(f"Whom shall I book for {day}?", Booking)


class AskingMCPServer(ScriptedMCPServer):
    """`book` and `meet` ask with a form; `confirm` asks to open an address (2025 only), `gated`
    refuses to work before that.
    """

    def _application(self) -> MCPServer:
        server = super()._application()

        @server.tool(description="Book a table.")
        async def book(
            day: str, booking: Annotated[ElicitationResult[Booking], Resolve(ask_for_booking)]
        ) -> str:
            if isinstance(booking, AcceptedElicitation):
                return f"Booked for {day}: {booking.data.model_dump_json()}"
            return f"Not booked: {booking.action}"

        @server.tool(description="Find a time.")
        async def meet(
            meeting: Annotated[ElicitationResult[Meeting], Resolve(ask_for_meeting)],
        ) -> str:
            is_given = isinstance(meeting, AcceptedElicitation)
            return meeting.data.model_dump_json() if is_given else meeting.action

        @server.tool(description="Have the person confirm something elsewhere.")
        async def confirm(context: Context, url: str) -> str:
            answer = await context.elicit_url("Please confirm it there.", url, "confirmation-1")
            return f"Confirmed: {answer.action}"

        opened: list[str] = []

        @server.tool(description="Works once the person has opened an address.")
        async def gated(url: str) -> str:
            if url in opened:
                return "open"
            opened.append(url)
            asked = ElicitRequestURLParams(message="Sign in.", url=url, elicitation_id=url)
            raise UrlElicitationRequiredError([asked])

        return server
