"""An authorisation by OAuth, step by step: a person goes away between two of them.

Knows no storage and no person: what has to outlive a step is a value that the caller keeps.
Why the steps are ours and not the SDK's provider: docs/decisions/0008-oauth-for-mcp-servers.md.
https://modelcontextprotocol.io/specification/2025-11-25/basic/authorization
"""

import base64
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import httpx2
from mcp.client.auth import OAuthFlowError, PKCEParameters
from mcp.client.auth.oauth2 import check_registration_usable
from mcp.client.auth.utils import (
    create_client_registration_request,
    handle_registration_response,
)
from mcp.shared.auth import OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl, ValidationError

from chat.mcp.oauth.errors import AuthorisationFailed, AuthorisationRefused
from chat.mcp.oauth.places import Place, failed, send
from chat.text import say

# A refresh that is answered so would be answered so for ever (RFC 6749, 5.2).
_DEFINITE = {"invalid_grant", "invalid_client", "unauthorized_client", "unsupported_grant_type"}
_METHODS = ("client_secret_basic", "client_secret_post", "none")


@dataclass(frozen=True, kw_only=True, slots=True)
class Registration:
    """Who we are at the authorisation server `issuer`; "" where an admin entered it by hand."""

    client_id: str
    client_secret: str = field(default="", repr=False)
    method: str = "none"
    issuer: str = ""
    redirect_uri: str = ""

    def is_for(self, place: Place, redirect_uri: str) -> bool:
        return (self.issuer, self.redirect_uri) == (place.issuer, redirect_uri)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pending:
    """What the second half of an authorisation needs of the first. Secret."""

    registration: Registration
    issuer: str
    says_issuer: bool
    token_endpoint: str
    resource: str
    scope: str
    redirect_uri: str
    state: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """The tokens, and what a refresh of them needs. Secret."""

    registration: Registration
    token_endpoint: str
    resource: str
    access_token: str = field(repr=False)
    refresh_token: str = field(default="", repr=False)
    scope: str = ""


async def register(
    http: httpx2.AsyncClient, place: Place, redirect_uri: str, client_name: str
) -> Registration:
    """Make ourselves known to an authorisation server. Raises AuthorisationFailed."""
    metadata = place.metadata
    if metadata.registration_endpoint is None:
        raise AuthorisationFailed(
            say(
                "Its authorisation server takes no registrations: an admin has to register this "
                "site there, with the callback address {redirect_uri}, and enter the client ID.",
                redirect_uri=redirect_uri,
            )
        )
    wish = OAuthClientMetadata(
        client_name=client_name,
        redirect_uris=[AnyUrl(redirect_uri)],
        token_endpoint_auth_method=_method(place, _METHODS),
        application_type="web",
        scope=place.scope or None,
    )
    response = await send(http, create_client_registration_request(metadata, wish, place.issuer))
    try:
        found = await handle_registration_response(response)
        check_registration_usable(found)
    except OAuthFlowError as error:
        text = say("It did not register this site ({status}).", status=response.status_code)
        raise failed(text, error) from error
    secret = found.client_secret or ""
    return Registration(
        client_id=found.client_id,
        client_secret=secret,
        method=found.token_endpoint_auth_method or ("client_secret_basic" if secret else "none"),
        issuer=place.issuer,
        redirect_uri=redirect_uri,
    )


def entered(place: Place, client_id: str, client_secret: str) -> Registration:
    """The registration that an admin made by hand."""
    method = _method(place, _METHODS[:2]) if client_secret else "none"
    return Registration(client_id=client_id, client_secret=client_secret, method=method)


def begin(place: Place, registration: Registration, redirect_uri: str) -> tuple[str, Pending]:
    """Where to send the person, and what to keep until they come back."""
    proof = PKCEParameters.generate()
    pending = Pending(
        registration=registration,
        issuer=place.issuer,
        says_issuer=bool(place.metadata.authorization_response_iss_parameter_supported),
        token_endpoint=str(place.metadata.token_endpoint),
        resource=place.resource,
        scope=place.scope,
        redirect_uri=redirect_uri,
        state=secrets.token_urlsafe(32),
        verifier=proof.code_verifier,
    )
    asked = {
        "response_type": "code",
        "client_id": registration.client_id,
        "redirect_uri": redirect_uri,
        "state": pending.state,
        "code_challenge": proof.code_challenge,
        "code_challenge_method": "S256",
        "resource": place.resource,
    }
    if place.scope:
        asked["scope"] = place.scope
    if "offline_access" in place.scope.split():
        # https://openid.net/specs/openid-connect-core-1_0.html#OfflineAccess
        asked["prompt"] = "consent"
    return _with_query(str(place.metadata.authorization_endpoint), asked), pending


async def complete(
    http: httpx2.AsyncClient, pending: Pending, *, state: str, code: str, issuer: str
) -> Grant:
    """Exchange the code that the person came back with. Raises AuthorisationFailed."""
    if not hmac.compare_digest(state.encode(), pending.state.encode()):
        raise AuthorisationFailed(
            say("This answer belongs to another request. Please start again.")
        )
    # RFC 9207: an answer of another authorisation server must not get this one's code.
    if issuer != pending.issuer and (issuer or pending.says_issuer):
        raise AuthorisationFailed(
            say("The answer came from another authorisation server than asked.")
        )
    grant = Grant(
        registration=pending.registration,
        token_endpoint=pending.token_endpoint,
        resource=pending.resource,
        access_token="",
        scope=pending.scope,
    )
    asked = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": pending.redirect_uri,
        "code_verifier": pending.verifier,
    }
    return await _with_tokens(http, grant, asked)


async def refresh(http: httpx2.AsyncClient, grant: Grant) -> Grant:
    """The grant with new tokens. Raises AuthorisationRefused, where the person has to authorise
    again, and AuthorisationFailed, where it may work later.
    """
    if not grant.refresh_token:
        raise AuthorisationRefused(say("Its authorisation has expired."))
    asked = {"grant_type": "refresh_token", "refresh_token": grant.refresh_token}
    return await _with_tokens(http, grant, asked)


async def _with_tokens(http: httpx2.AsyncClient, grant: Grant, asked: Mapping[str, str]) -> Grant:
    response = await send(http, _token_request(grant, asked))
    if response.status_code not in {200, 201}:
        raise _refusal(response)
    try:
        tokens = OAuthToken.model_validate_json(response.content)
    except ValidationError as error:
        raise failed(say("Its authorisation server gave no tokens."), error) from error
    # What is left out is as it was (RFC 6749, 5.1 and 6).
    return replace(
        grant,
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token or grant.refresh_token,
        scope=tokens.scope or grant.scope,
    )


def _token_request(grant: Grant, asked: Mapping[str, str]) -> httpx2.Request:
    known = grant.registration
    data = {**asked, "client_id": known.client_id, "resource": grant.resource}
    headers = {"Accept": "application/json"}
    if known.method == "client_secret_basic":
        # Encoded twice: RFC 6749, 2.3.1.
        pair = f"{quote(known.client_id, safe='')}:{quote(known.client_secret, safe='')}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    elif known.method == "client_secret_post":
        data["client_secret"] = known.client_secret
    return httpx2.Request("POST", grant.token_endpoint, data=data, headers=headers)


def _refusal(response: httpx2.Response) -> AuthorisationFailed:
    try:
        answer: Any = response.json()
    except ValueError:
        answer = None
    code = str(answer.get("error", ""))[:60] if isinstance(answer, dict) else ""
    text = say("Its authorisation server refused ({code}).", code=code or response.status_code)
    return AuthorisationRefused(text) if code in _DEFINITE else AuthorisationFailed(text)


def _method(place: Place, wanted: tuple[str, ...]) -> Any:
    """The first that the server takes; RFC 8414 names the default."""
    taken = place.metadata.token_endpoint_auth_methods_supported or ["client_secret_basic"]
    return next((method for method in wanted if method in taken), wanted[0])


def _with_query(url: str, values: Mapping[str, str]) -> str:
    parts = urlsplit(url)
    query = f"{parts.query}&{urlencode(values)}" if parts.query else urlencode(values)
    return urlunsplit(parts._replace(query=query, fragment=""))
