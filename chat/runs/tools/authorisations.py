"""Authorisations at MCP servers: a person is sent away, and comes back to where they were."""

import asyncio
import json
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from chat.mcp.oauth.errors import AuthorisationFailed
from chat.mcp.oauth.flow import Pending, Registration, begin, complete, entered, register
from chat.mcp.oauth.places import Place, find_place
from chat.models import (
    AuthorisationRequest,
    MCPAuthorisation,
    MCPServer,
    Unreadable,
    seal,
    unseal,
)
from chat.runs.pool import in_pool, in_writer
from chat.runs.tools.tokens import grant_of, oauth_client, to_json
from chat.text import say

FIND_SECONDS = 20
# Of one person, in the lifetime of a request: each may register this site anew somewhere.
MAX_REQUESTS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Returned:
    """Somebody is back from authorising a server; `problem` says why it did not work."""

    server: MCPServer
    is_shared: bool
    problem: str = ""


async def send_away(server: MCPServer, user_id: int, *, is_shared: bool, redirect_uri: str) -> str:
    """The address at which this person authorises the server. Raises AuthorisationFailed."""
    if await in_pool(AuthorisationRequest.open_for, user_id) >= MAX_REQUESTS:
        raise AuthorisationFailed(say("You have asked for this often. Please wait ten minutes."))
    try:
        async with (
            asyncio.timeout(FIND_SECONDS),
            oauth_client(server.url, is_ours=server.is_configured) as http,
        ):
            place = await find_place(http, server.url)
            known = await in_pool(_registration, server, place, redirect_uri)
            known = known or await register(http, place, redirect_uri, settings.SITE_NAME)
    except TimeoutError as error:
        raise AuthorisationFailed(
            say("Its authorisation server did not answer in time.")
        ) from error
    address, pending = begin(place, known, redirect_uri)
    await in_writer(
        AuthorisationRequest.open,
        server,
        user_id,
        is_shared=is_shared,
        state=pending.state,
        secret=to_json(pending),
    )
    return address


async def take_back(
    user_id: int, *, state: str, code: str, issuer: str, refusal: str
) -> Returned | None:
    """Keep what this person has authorised; None where there is no such request of theirs.

    `refusal` is what the authorisation server calls it where they did not.
    """
    asked = await in_writer(AuthorisationRequest.close, user_id, state)
    if asked is None:
        return None
    server, is_shared = asked.server, asked.is_shared
    try:
        if refusal or not code:
            raise AuthorisationFailed(
                say("It was not authorised ({reason}).", reason=refusal or "no code")
            )
        pending = _pending(unseal(asked.sealed))
        async with oauth_client(server.url, is_ours=server.is_configured) as http:
            grant = await complete(http, pending, state=state, code=code, issuer=issuer)
    except AuthorisationFailed as error:
        return Returned(server=server, is_shared=is_shared, problem=str(error))
    except Unreadable:
        problem = "The key of this site was changed meanwhile. Please start again."
        return Returned(server=server, is_shared=is_shared, problem=problem)
    await in_writer(_keep, server, None if is_shared else user_id, to_json(grant))
    return Returned(server=server, is_shared=is_shared)


def revoke(server: MCPServer, user_id: int | None) -> bool:
    """Forget an authorisation; False where there is none."""
    return bool(MCPAuthorisation.objects.filter(server=server, user=user_id).delete()[0])


def enter_client(server: MCPServer, client_id: str, client_secret: str) -> None:
    """Keep what an admin was given when they registered this site by hand."""
    MCPServer.objects.filter(pk=server.pk).update(
        oauth_client_id=client_id,
        oauth_client_secret=seal(client_secret) if client_secret else "",
    )


def _keep(server: MCPServer, user_id: int | None, secret: str) -> None:
    with transaction.atomic():
        MCPAuthorisation.replace(server, user_id, secret)
        waiting = MCPServer.objects.filter(pk=server.pk, state=MCPServer.State.UNAUTHORISED)
        waiting.update(state=MCPServer.State.UNKNOWN, state_reason="")


def _registration(server: MCPServer, place: Place, redirect_uri: str) -> Registration | None:
    """The one that was entered, or one that an authorisation of this server has used."""
    try:
        if server.oauth_client_id:
            sealed = server.oauth_client_secret
            return entered(place, server.oauth_client_id, unseal(sealed) if sealed else "")
        for row in server.authorisations.filter(refused_at=None).order_by("-created_at")[:1]:
            known = grant_of(unseal(row.sealed)).registration
            return known if known.is_for(place, redirect_uri) else None
    except Unreadable:
        pass
    return None


def _pending(text: str) -> Pending:
    values = json.loads(text)
    return Pending(**{**values, "registration": Registration(**values["registration"])})
