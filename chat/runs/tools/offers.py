"""What a run is offered: tools that are on record, as they were accepted."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from chat.agent.ports import Discovery
from chat.runs.pool import AWAY_ERRORS, in_pool
from chat.runs.tools.servers import Access, read_accepted
from chat.runs.tools.states import ServerStates
from chat.text import say
from chat.tools import Tool


async def offered(access: Access, states: ServerStates, tools: Sequence[Tool]) -> Discovery:
    """Those of the tools that this access allows.

    What was listed for the first time a moment ago is being stored just now: it is waited for.
    """
    if unknown := {tool.server for tool in tools if not access.is_on_record(tool)}:
        await states.put_on_record(unknown)
        with suppress(*AWAY_ERRORS):
            access = replace(access, accepted=await in_pool(read_accepted))
    chosen = [tool for tool in tools if access.may_offer(tool)]
    count = sum(not access.is_on_record(tool) for tool in tools)
    failures = [say("Tools that are not on record yet are left out: {count}.", count=count)]
    return Discovery(tools=chosen, failures=failures if count else [])
