"""Where an MCP server wants to be authorised: its authorisation server, as both describe it.

Every address here was named by somebody else. Requests go through the guard of the client that
the caller gives, are bounded in time and size, and follow no redirect.
"""

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx2
from mcp.client.auth import OAuthFlowError
from mcp.client.auth.utils import (
    build_oauth_authorization_server_metadata_discovery_urls,
    build_protected_resource_metadata_discovery_urls,
    create_oauth_metadata_request,
    extract_resource_metadata_from_www_auth,
    extract_scope_from_www_auth,
    get_client_metadata_scopes,
    handle_auth_metadata_response,
    handle_protected_resource_response,
    issuers_match,
    validate_metadata_issuer,
)
from mcp.shared.auth import DEFAULT_GRANT_TYPES, OAuthMetadata, ProtectedResourceMetadata
from mcp.shared.auth_utils import check_resource_allowed, resource_url_from_server_url

from chat.mcp.failures import reason_of
from chat.mcp.oauth.errors import AuthorisationFailed
from chat.text import say, visible

STEP_SECONDS = 10
MAX_ANSWER_BYTES = 1 << 18
# Any message will do: it is to be refused.
_PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
_ACCEPT = {"Accept": "application/json, text/event-stream"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """The authorisation server, and what to ask it for."""

    metadata: OAuthMetadata
    resource: str
    scope: str

    @property
    def issuer(self) -> str:
        return str(self.metadata.issuer)


async def find_place(http: httpx2.AsyncClient, url: str) -> Place:
    """Where the MCP server at `url` is authorised. Raises AuthorisationFailed."""
    try:
        challenge = await send(http, httpx2.Request("POST", url, json=_PING, headers=_ACCEPT))
        resource = await _protected_resource(http, url, challenge)
        metadata = await _metadata(http, url, resource)
    except (OAuthFlowError, httpx2.InvalidURL, ValueError) as error:
        raise failed(say("What it says of its authorisation is not valid."), error) from error
    _check(metadata, url)
    scope = get_client_metadata_scopes(
        extract_scope_from_www_auth(challenge), resource, metadata, DEFAULT_GRANT_TYPES
    )
    named = str(resource.resource) if resource else resource_url_from_server_url(url)
    return Place(metadata=metadata, resource=named, scope=scope or "")


async def send(http: httpx2.AsyncClient, request: httpx2.Request) -> httpx2.Response:
    """The answer, read to its end. Raises AuthorisationFailed where there is none in time."""
    try:
        async with asyncio.timeout(STEP_SECONDS):
            response = await http.send(request, stream=True, follow_redirects=False)
            try:
                body = await _bounded(response)
            finally:
                await response.aclose()
    except (httpx2.HTTPError, TimeoutError) as error:
        reason = reason_of(error)
        raise AuthorisationFailed(
            say("{host} could not be asked: {reason}.", host=request.url.host, reason=reason)
        ) from error
    kept = {
        name: response.headers[name]
        for name in ("www-authenticate", "content-type")
        if name in response.headers
    }
    return httpx2.Response(response.status_code, headers=kept, content=body, request=request)


def failed(sentence: str, error: Exception) -> AuthorisationFailed:
    """With what the SDK found, shortened: an admin has to make something of it."""
    detail = " ".join(visible(str(error), 400).split())[:200]
    return AuthorisationFailed(
        say("{sentence} It said: {detail}", sentence=sentence, detail=detail)
    )


async def _bounded(response: httpx2.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise httpx2.ReadError("its answer is too long")
    return bytes(body)


async def _protected_resource(
    http: httpx2.AsyncClient, url: str, challenge: httpx2.Response
) -> ProtectedResourceMetadata | None:
    named = extract_resource_metadata_from_www_auth(challenge)
    for candidate in build_protected_resource_metadata_discovery_urls(named, url):
        response = await send(http, create_oauth_metadata_request(candidate))
        found = await handle_protected_resource_response(response)
        if found is None:
            continue
        wanted = resource_url_from_server_url(url)
        # RFC 8707: else a hostile server would be given a token for somebody else's.
        if not check_resource_allowed(wanted, str(found.resource)):
            raise OAuthFlowError(f"it speaks for {found.resource}, not for {wanted}")
        return found
    return None


async def _metadata(
    http: httpx2.AsyncClient, url: str, resource: ProtectedResourceMetadata | None
) -> OAuthMetadata:
    named = str(resource.authorization_servers[0]) if resource else None
    expected = named or "{0.scheme}://{0.netloc}".format(urlsplit(url))
    for candidate in build_oauth_authorization_server_metadata_discovery_urls(named, url):
        response = await send(http, create_oauth_metadata_request(candidate))
        goes_on, found = await handle_auth_metadata_response(response)
        if found:
            if named is None and issuers_match(str(found.issuer), expected):
                expected = str(found.issuer)
            validate_metadata_issuer(found, expected)
            return found
        if not goes_on:
            break
    raise AuthorisationFailed(say("It does not say where it can be authorised."))


def _check(metadata: OAuthMetadata, url: str) -> None:
    """What the specification has clients refuse."""
    if "S256" not in (metadata.code_challenge_methods_supported or ()):
        raise AuthorisationFailed(say("Its authorisation server does not know PKCE with S256."))
    page = metadata.authorization_endpoint
    if page.scheme != "https" and urlsplit(url).scheme == "https":
        raise AuthorisationFailed(say("Its authorisation page is not encrypted."))
    # What stands before an @ would look like the host that people are to trust.
    if page.username or page.password:
        raise AuthorisationFailed(say("The address of its authorisation page is not valid."))
