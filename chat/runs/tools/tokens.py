"""The access tokens of an authorisation: read from its row, renewed by one process at a time."""

import asyncio
import json
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
from django.conf import settings
from django.utils import timezone
from mcp.shared.auth_utils import check_resource_allowed, resource_url_from_server_url

from chat.mcp.http.network import Guard, GuardedTransport, NotSent, origin_of
from chat.mcp.oauth.errors import AuthorisationFailed, AuthorisationRefused, Unauthorised
from chat.mcp.oauth.flow import Grant, Registration, refresh
from chat.mcp.oauth.places import STEP_SECONDS
from chat.models import MCPAuthorisation, Unreadable, unseal
from chat.runs.pool import in_pool, in_writer

# A turn that was not ended in this time is that of a process that died.
TURN = timedelta(seconds=STEP_SECONDS + 5)
LOOK_SECONDS = 0.1
ENDED = "its authorisation has ended"

# Renewals under way: they are finished even if nobody waits for them any more.
_renewals: set[asyncio.Task[str]] = set()


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredTokens:
    """Implements mcp.config.Tokens. `hint` says what to do where there is no authorisation."""

    authorisation: UUID | None
    hint: str

    async def current(self) -> str:
        """The access token. Raises Unauthorised."""
        return (await self._read())[1].access_token

    async def renewed(self, rejected: str) -> str:
        """Another one than `rejected`. Raises Unauthorised, and NotSent where it may work later.

        Whoever has the turn asks the authorisation server; all others wait for the outcome.
        """
        until = timezone.now() + 2 * TURN
        while timezone.now() < until:
            row, grant = await self._read()
            if grant.access_token != rejected:
                return grant.access_token
            if await in_writer(row.take_turn, timezone.now() + TURN):
                renewal = asyncio.ensure_future(self._renew(row, grant))
                _renewals.add(renewal)
                renewal.add_done_callback(_ended)
                # A refresh token works once: what it brought is stored, whoever has gone since.
                return await asyncio.shield(renewal)
            await asyncio.sleep(LOOK_SECONDS)
        raise NotSent("its tokens could not be renewed in time")

    async def _renew(self, row: MCPAuthorisation, grant: Grant) -> str:
        try:
            async with oauth_client(row.server.url, is_ours=row.server.is_configured) as http:
                new = await refresh(http, grant)
        except AuthorisationRefused as error:
            await in_writer(row.give_up_turn, is_refused=True)
            raise self._unauthorised(ENDED) from error
        except AuthorisationFailed as error:
            await in_writer(row.give_up_turn, is_refused=False)
            raise NotSent(str(error).rstrip(".")) from error
        await in_writer(row.renew, to_json(new))
        return new.access_token

    async def _read(self) -> tuple[MCPAuthorisation, Grant]:
        if self.authorisation is None:
            raise self._unauthorised()
        rows = MCPAuthorisation.objects.select_related("server")
        row = await in_pool(rows.filter(pk=self.authorisation).first)
        if row is None:
            raise self._unauthorised()
        if row.refused_at:
            raise self._unauthorised(ENDED)
        try:
            grant = grant_of(unseal(row.sealed))
        except Unreadable as error:
            raise self._unauthorised("its tokens were kept with another MCP_TOKEN_KEY") from error
        # Tokens are for the server that they were asked for, not for one that took its place.
        if not check_resource_allowed(resource_url_from_server_url(row.server.url), grant.resource):
            raise self._unauthorised("it was authorised at another address")
        return row, grant

    def _unauthorised(self, reason: str = "") -> Unauthorised:
        return Unauthorised(f"{reason}: {self.hint}" if reason else self.hint)


def oauth_client(url: str, *, is_ours: bool) -> httpx2.AsyncClient:
    """For requests around the authorisation at the server at `url`; close it.

    Where that server may be private only because it `is_ours`, what it names may not be.
    """
    trusted = {origin_of(url)} if is_ours else set()
    guard = Guard(trusted=frozenset(trusted), allows_private=settings.MCP_ALLOW_PRIVATE_NETWORKS)
    return httpx2.AsyncClient(transport=GuardedTransport(guard), trust_env=False)


def to_json(value: Any) -> str:
    return json.dumps(asdict(value))


def grant_of(text: str) -> Grant:
    values = json.loads(text)
    return Grant(**{**values, "registration": Registration(**values["registration"])})


def _ended(renewal: asyncio.Task[str]) -> None:
    _renewals.discard(renewal)
    if not renewal.cancelled():
        # Asked for, so that asyncio does not report it as never retrieved.
        renewal.exception()
