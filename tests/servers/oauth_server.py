"""An MCP server that wants an authorisation, and the authorisation server it names.

Each has a socket and an origin of its own. Written by hand and strict, so that it can see what a
client does wrong, and be wrong itself where a test wants that.
"""

import base64
import hashlib
import secrets
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.servers.bare_mcp_server import BareMCPServer
from tests.servers.site import free_port
from tests.servers.threaded import Threaded

TOOLS = [{"name": "whoami", "description": "Who asks.", "inputSchema": {"type": "object"}}]


@dataclass
class Family:
    """All tokens of one authorisation. `access` is the one that is valid."""

    subject: str
    access: str = ""
    refresh: str = ""
    used: set[str] = field(default_factory=set)
    is_revoked: bool = False


class ProtectedMCPServer(BareMCPServer):
    """Its tool `whoami` tells whose token it was called with; `served` collects them all."""

    def __init__(self, authority: "OAuthServer") -> None:
        super().__init__(TOOLS)
        self._authority = authority
        self.served: list[str] = []

    async def _answer(self, request: Request) -> Response:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        subject = self._authority.subject_of(token)
        if subject is None:
            named = self._authority.metadata_address
            challenge = f'Bearer error="invalid_token", resource_metadata="{named}"'
            return Response(status_code=401, headers={"WWW-Authenticate": challenge})
        self._subject = subject
        return await super()._answer(request)

    async def _call(self, message: dict[str, Any], request: Request) -> Response:
        self.served.append(self._subject)
        content = [{"type": "text", "text": f"You are {self._subject}."}]
        return JSONResponse({"jsonrpc": "2.0", "id": message["id"], "result": {"content": content}})


class OAuthServer:
    """`subject` is who is signed in there; they agree to all that is asked.

    `metadata_address`: where the MCP server says its metadata is; `page` and `proofs`: where it
    says that people authorise, and by which methods of PKCE. `takes_registrations` off:
    `by_hand` is the only client. `refuses`: no refresh is answered. `delay_seconds`: how long one
    takes. `reused`: a refresh token came twice, which revokes its family.
    """

    def __init__(self) -> None:
        self.mcp = ProtectedMCPServer(self)
        self.issuer = f"http://127.0.0.1:{free_port()}"
        self.metadata_address = f"{self.issuer}/resource"
        self.page = f"{self.issuer}/authorize"
        self.subject = "nobody"
        self.proofs = ["S256"]
        self.takes_registrations = True
        self.refuses = False
        self.delay_seconds = 0.0
        self.reused = False
        self.by_hand = ("by-hand", "a secret of the admin")
        self.clients: dict[str, dict[str, Any]] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.families: list[Family] = []
        self.refreshes = 0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        routes = [
            Route("/resource", self._resource),
            Route("/.well-known/oauth-authorization-server", self._metadata),
            Route("/register", self._register, methods=["POST"]),
            Route("/authorize", self._authorize),
            Route("/token", self._token, methods=["POST"]),
        ]
        port = int(self.issuer.rpartition(":")[2])
        server = Threaded(Starlette(routes=routes), port)
        server.start()
        self._stack.callback(server.stop)
        self._stack.enter_context(self.mcp)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def subject_of(self, token: str) -> str | None:
        valid = (f.subject for f in self.families if f.access == token and not f.is_revoked)
        return next(valid, None) if token else None

    def expire(self) -> None:
        """No access token is taken any more; each can be refreshed."""
        for family in self.families:
            family.access = ""

    def secrets(self) -> list[str]:
        """Everything that nobody but its owner may read."""
        tokens = [token for f in self.families for token in (f.access, f.refresh, *f.used)]
        return [token for token in tokens if token] + [c["secret"] for c in self.clients.values()]

    async def _resource(self, request: Request) -> Response:
        return JSONResponse({"resource": self.mcp.url, "authorization_servers": [self.issuer]})

    async def _metadata(self, request: Request) -> Response:
        found = {
            "issuer": self.issuer,
            "authorization_endpoint": self.page,
            "code_challenge_methods_supported": self.proofs,
            "token_endpoint": f"{self.issuer}/token",
            "scopes_supported": ["tools"],
            "response_types_supported": ["code"],
            "authorization_response_iss_parameter_supported": True,
        }
        if self.takes_registrations:
            found["registration_endpoint"] = f"{self.issuer}/register"
        return JSONResponse(found)

    async def _register(self, request: Request) -> Response:
        wish = await request.json()
        client_id = f"client-{len(self.clients) + 1}"
        self.clients[client_id] = {
            "secret": secrets.token_urlsafe(),
            "redirects": wish["redirect_uris"],
        }
        known = {"client_id": client_id, "client_secret": self.clients[client_id]["secret"]}
        return JSONResponse({**wish, **known}, status_code=201)

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        is_known = asked["client_id"] == self.by_hand[0] or (
            asked["redirect_uri"] in self.clients[asked["client_id"]]["redirects"]
        )
        is_right = asked["response_type"] == "code" and asked["code_challenge_method"] == "S256"
        if not (is_known and is_right and asked["resource"] == self.mcp.url):
            return Response("This is not a valid request.", status_code=400)
        code = secrets.token_urlsafe()
        self.codes[code] = {**asked, "subject": self.subject}
        answer = {"code": code, "state": asked["state"], "iss": self.issuer}
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(answer)}")

    async def _token(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        if not self._is_client(request, form) or form["resource"] != self.mcp.url:
            return JSONResponse({"error": "invalid_client"}, status_code=401)
        if form["grant_type"] == "authorization_code":
            return self._exchange(form)
        self.refreshes += 1
        time.sleep(self.delay_seconds)
        return self._refresh(form)

    def _is_client(self, request: Request, form: dict[str, str]) -> bool:
        basic = request.headers.get("authorization", "").removeprefix("Basic ")
        client_id, _, secret = base64.b64decode(basic).decode().partition(":")
        if client_id == self.by_hand[0]:
            return secret == self.by_hand[1].replace(" ", "%20")
        return client_id in self.clients and secret == self.clients[client_id]["secret"]

    def _exchange(self, form: dict[str, str]) -> Response:
        asked = self.codes.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        proof = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if asked is None or proof != asked["code_challenge"]:
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        self.families.append(Family(subject=asked["subject"]))
        return self._tokens(self.families[-1])

    def _refresh(self, form: dict[str, str]) -> Response:
        token = form["refresh_token"]
        for family in self.families:
            if token in family.used:
                self.reused = family.is_revoked = True
            if token == family.refresh and not family.is_revoked and not self.refuses:
                family.used.add(token)
                return self._tokens(family)
        return JSONResponse({"error": "invalid_grant"}, status_code=400)

    def _tokens(self, family: Family) -> Response:
        family.access, family.refresh = secrets.token_urlsafe(), secrets.token_urlsafe()
        found = {"access_token": family.access, "refresh_token": family.refresh}
        return JSONResponse({**found, "token_type": "bearer", "expires_in": 3600})
