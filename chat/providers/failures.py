"""What went wrong at a model's API, as sentences that people can act on. Never holds the key."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import httpx

from chat.errors import ContextTooLong, ProviderError
from chat.text import say

MAX_DETAIL_CHARACTERS = 300
RETRY_LATER = frozenset({408, 409, 425, 500, 502, 504, 520, 521, 522, 523, 524, 530})
OVERLOADED = frozenset({503, 529})
TOO_LONG = re.compile(
    r"context.?(length|window|size|limit)|maximum.{0,20}(context|tokens)|too many tokens"
    r"|prompt is too long|input is too long|(exceed|larger than|over).{0,40}context",
    re.IGNORECASE,
)
UNKNOWN_MODEL = re.compile(
    r"model.{0,80}(not.?found|not exist|unknown|not a valid|not available|invalid)"
    r"|(unknown|invalid|no such|not a valid).{0,10}model|model_not_found",
    re.IGNORECASE | re.DOTALL,
)
BASE_URL_HINT = say("Is the base URL right? It usually ends in /v1.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """An error as an API tells it. `status`: of the response, else the one the error names."""

    status: int
    code: str = ""
    message: str = ""
    failed_generation: str = ""

    @property
    def words(self) -> str:
        """Everything it said, to look for names in."""
        return f"{self.code} {self.message}"

    @property
    def detail(self) -> str:
        text = self.message[:MAX_DETAIL_CHARACTERS]
        return say(" It said: {text}", text=text) if text else ""


def read_refusal(status: int, body: bytes) -> Refusal:
    """The error in a body with a status other than 200, as far as there is one."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return Refusal(status=status)
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, Mapping):
        return Refusal(status=status)
    return _of(value.get("error") or value, status)


def from_refusal(refusal: Refusal, *, retry_after: float | None = None) -> ProviderError:
    """The sentence, code and prospects of a refused or failed request."""
    status, words, detail = refusal.status, refusal.words, refusal.detail
    if refusal.code == "tool_use_failed":
        return _bad_tool_call(refusal)
    if status in (400, 413, 422, 500) and TOO_LONG.search(words):
        return ContextTooLong(
            say(
                "This conversation is longer than the model can read. Start a new chat, or ask "
                "with less text.{detail}",
                detail=detail,
            )
        )
    if "content_filter" in words or "content_policy" in words or "content management" in words:
        return ProviderError(
            say("The provider's content filter refused this.{detail}", detail=detail)
        )
    if status in (401, 403):
        return ProviderError(
            say(
                "The model's API refused our key ({status}). An administrator must check "
                "LLM_API_KEY or OPENROUTER_API_KEY.{detail}",
                status=status,
                detail=detail,
            ),
            code="LLM_AUTH",
        )
    if status == 402 or "insufficient_quota" in words:
        return ProviderError(
            say("The account at the model's API has no credit left.{detail}", detail=detail),
            code="LLM_RATE_LIMITED",
        )
    if status in (400, 404) and UNKNOWN_MODEL.search(words):
        return ProviderError(
            say(
                "The model's API does not know this model. Is LLM_MODEL right?{detail}",
                detail=detail,
            )
        )
    return _of_status(refusal, retry_after)


def _of_status(refusal: Refusal, retry_after: float | None) -> ProviderError:
    status, detail = refusal.status, refusal.detail
    if status == 404:
        return ProviderError(
            say(
                "There is nothing at the address of the model's API (404). {hint}{detail}",
                hint=BASE_URL_HINT,
                detail=detail,
            )
        )
    if status == 429:
        return ProviderError(
            say(
                "The model is asked too much at the moment. Please try again in a little.{detail}",
                detail=detail,
            ),
            code="LLM_RATE_LIMITED",
            retryable=True,
            retry_after_seconds=retry_after,
        )
    if status in OVERLOADED:
        return ProviderError(
            say(
                "The model is overloaded at the moment ({status}). Please try again in a "
                "little.{detail}",
                status=status,
                detail=detail,
            ),
            code="LLM_RATE_LIMITED",
            retryable=True,
            retry_after_seconds=retry_after,
        )
    if 300 <= status < 400:
        return ProviderError(
            say(
                "The address of the model's API leads elsewhere ({status}). {hint}",
                status=status,
                hint=BASE_URL_HINT,
            )
        )
    number = f" ({status})" if status else f" ({refusal.code})" if refusal.code else ""
    return ProviderError(
        say("The model's API reported an error{number}.{detail}", number=number, detail=detail),
        retryable=status in RETRY_LATER,
        retry_after_seconds=retry_after,
    )


def from_status(response: httpx.Response, body: bytes) -> ProviderError:
    """The failure behind a status other than 200."""
    status = response.status_code
    if body.lstrip()[:1] == b"<" and status not in OVERLOADED | RETRY_LATER | {401, 403, 429}:
        return not_a_stream(body)
    return from_refusal(read_refusal(status, body), retry_after=_retry_after(response))


def from_transport(error: httpx.TransportError) -> ProviderError:
    """The failure behind a connection that could not be made or broke."""
    # By its cause: httpx has fewer names than things that go wrong.
    match error.__cause__:
        case aiohttp.ClientConnectorDNSError():
            text = say("The host name of the model's API cannot be found. Is the base URL right?")
        case aiohttp.ClientConnectorCertificateError():
            return ProviderError(
                say(
                    "The certificate of the model's API is not accepted. For one of your own, set "
                    "SSL_CERT_FILE."
                )
            )
        case aiohttp.ClientSSLError():
            return ProviderError(
                say(
                    "The model's API does not speak TLS at this address. Should the base URL begin "
                    "with http://?"
                )
            )
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            text = say("The proxy in front of the model's API cannot be used.")
        case aiohttp.ClientConnectorError():
            text = say(
                "The model's API refused the connection. Does it run, and is the port right?"
            )
        case TimeoutError():
            text = say("The model's API cannot be reached: it did not answer in time.")
        case aiohttp.InvalidURL():
            return ProviderError(say("The address of the model's API is not valid."))
        case _:
            text = say("The connection to the model broke off.")
            return ProviderError(text, code="LLM_INCOMPLETE", retryable=True)
    return ProviderError(text, retryable=True)


def from_error_object(error: Any) -> ProviderError:
    """The failure behind an `error` in a stream: an object, a list of them, or just a text."""
    return from_refusal(_of(error, 0))


def not_a_stream(body: bytes) -> ProviderError:
    """A body that is neither a stream nor a completion."""
    if body.lstrip()[:1] == b"<":
        return ProviderError(
            say(
                "The address of the model's API answered with a web page. {hint}",
                hint=BASE_URL_HINT,
            )
        )
    if not body.strip():
        return ProviderError(say("The model sent an empty answer."), retryable=True)
    return ProviderError(
        say("The model's answer broke off."), code="LLM_INCOMPLETE", retryable=True
    )


def _of(error: Any, status: int) -> Refusal:
    if isinstance(error, list) and error:
        error = error[0]
    if not isinstance(error, Mapping):
        return Refusal(status=status, message=str(error))
    code, metadata = error.get("code"), error.get("metadata")
    message = error.get("message") or error.get("detail") or error.get("error") or ""
    raw = metadata.get("raw") if isinstance(metadata, Mapping) else ""
    return Refusal(
        status=status or _number(error.get("status")) or _number(code),
        code=" ".join(str(part) for part in (error.get("type"), code) if part)
        if code != "tool_use_failed"
        else "tool_use_failed",
        message=" ".join(str(part) for part in (message, raw) if part),
        failed_generation=str(error.get("failed_generation") or ""),
    )


def _number(value: Any) -> int:
    """A status named in an error: some send 429, some "429", most a word."""
    text = str(value)
    return int(text) if text.isdecimal() and len(text) == 3 else 0


def _bad_tool_call(refusal: Refusal) -> ProviderError:
    wrote = refusal.failed_generation[:2_000]
    return ProviderError(
        say(
            "The model wrote a tool call that its API could not read.{detail}",
            detail=refusal.detail,
        ),
        retryable=True,
        feedback="Your last tool call could not be read and was not executed. "
        f"{refusal.message[:500]} You wrote: {wrote} "
        "Call the tool again with its exact name and valid JSON arguments, or answer in words.",
    )


def _retry_after(response: httpx.Response) -> float | None:
    """In seconds; the header holds a number or a date (RFC 9110, section 10.2.3)."""
    text = response.headers.get("retry-after", "")
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
