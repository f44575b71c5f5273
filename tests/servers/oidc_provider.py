"""A provider of OpenID Connect: real requests, real signatures, no questions asked.

Whoever comes to its sign-in page is the person that `claims` describe.
"""

import base64
import hashlib
import json
import secrets
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

CLIENT = ("ferryline", "the client's secret")


class OIDCProvider:
    def __init__(self) -> None:
        self.claims: dict[str, Any] = {}
        # What is changed in the next ID token, which stays well signed.
        self.lies: dict[str, Any] = {}
        self.key = self.signs_with = rsa.generate_private_key(65537, 2048)
        self.is_broken = False
        self.codes: dict[str, str] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.get(self)

            def do_POST(self) -> None:
                outer.give_token(self)

            def log_message(self, *_: object) -> None:
                """Tests say what went wrong."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def environment(self) -> dict[str, str]:
        return {
            "OIDC_SERVER_URL": self.url,
            "OIDC_CLIENT_ID": CLIENT[0],
            "OIDC_CLIENT_SECRET": CLIENT[1],
        }

    def get(self, request: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path)
        if self.is_broken:
            answer(request, {}, status=500)
            return
        match parts.path:
            case "/.well-known/openid-configuration":
                answer(request, self._configuration())
            case "/keys":
                key = json.loads(RSAAlgorithm.to_jwk(self.key.public_key()))
                answer(request, {"keys": [{**key, "kid": "one", "alg": "RS256"}]})
            case "/people/me" if request.headers["Authorization"] == "Bearer an access token":
                answer(request, self.claims)
            case "/sign-in":
                asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
                code = secrets.token_hex(8)
                self.codes[code] = asked["code_challenge"]
                back = urlencode({"code": code, "state": asked["state"]})
                request.send_response(302)
                request.send_header("Location", f"{asked['redirect_uri']}?{back}")
                request.end_headers()
            case _:
                answer(request, {}, status=404)

    def give_token(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        proof = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(proof).decode().rstrip("=")
        known = (form.get("client_id"), form.get("client_secret")) == CLIENT
        if not known or self.codes.pop(form.get("code", ""), None) != challenge:
            answer(request, {"error": "invalid_grant"}, status=400)
            return
        now = int(time.time())
        token = {"iss": self.url, "aud": CLIENT[0], "iat": now, "exp": now + 60, **self.claims}
        signed = jwt.encode(token | self.lies, self.signs_with, "RS256", headers={"kid": "one"})
        more = {"token_type": "Bearer", "expires_in": 60}
        answer(request, {"access_token": "an access token", "id_token": signed, **more})

    def _configuration(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/sign-in",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/people/me",
            "jwks_uri": f"{self.url}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }


def answer(request: BaseHTTPRequestHandler, body: dict[str, Any], status: int = 200) -> None:
    data = json.dumps(body).encode()
    request.send_response(status)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(data)))
    request.end_headers()
    request.wfile.write(data)
