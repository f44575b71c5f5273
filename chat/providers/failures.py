"""What went wrong at a model's API, as sentences that people can act on. Never holds the key."""

import json
from collections.abc import Mapping
from typing import Any

import httpx

from chat.errors import ProviderError

MAX_DETAIL_CHARACTERS = 300


def from_status(response: httpx.Response, body: bytes) -> ProviderError:
    """The failure behind a status other than 200."""
    status, detail = response.status_code, _detail(body)
    if status in (401, 403):
        return ProviderError(
            f"The model's API refused our key ({status}). An administrator must check "
            f"LLM_API_KEY or OPENROUTER_API_KEY.{detail}",
            code="LLM_AUTH",
        )
    if status == 404:
        return ProviderError(
            "The model's API does not know this model or address (404). Is LLM_MODEL right? "
            f"Is the base URL right? It usually ends in /v1.{detail}"
        )
    if status == 429:
        return ProviderError(
            f"The model is asked too much at the moment. Please try again in a little.{detail}",
            code="LLM_RATE_LIMITED",
            retryable=True,
            retry_after_seconds=_retry_after(response),
        )
    return ProviderError(
        f"The model's API answered with an error ({status}).{detail}", retryable=status >= 500
    )


def from_transport(error: httpx.TransportError) -> ProviderError:
    """The failure behind a connection that could not be made or broke."""
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return ProviderError("The model's API cannot be reached.", retryable=True)
    if isinstance(error, httpx.TimeoutException):
        return ProviderError("The model's API did not answer in time.", code="LLM_TIMEOUT")
    return ProviderError(
        "The connection to the model broke off.", code="LLM_INCOMPLETE", retryable=True
    )


def from_error_object(error: Any) -> ProviderError:
    """The failure behind an `error` in a stream: an object, or just a text."""
    message: Any = error
    if isinstance(error, Mapping):
        message = error.get("message") or error.get("code") or "no reason given"
    text = str(message)[:MAX_DETAIL_CHARACTERS]
    return ProviderError(f"The model's API reported an error: {text}")


def not_a_stream(body: bytes) -> ProviderError:
    """A 200 whose body is neither a stream nor a completion."""
    if body.lstrip()[:1] == b"<":
        return ProviderError(
            "The address of the model's API answered with a web page. Is the base URL right? "
            "It usually ends in /v1."
        )
    if not body.strip():
        return ProviderError("The model's API sent an empty answer.")
    return ProviderError("The model's answer broke off.", code="LLM_INCOMPLETE")


def _detail(body: bytes) -> str:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    if isinstance(value, list) and value:
        value = value[0]
    error = value.get("error") if isinstance(value, Mapping) else None
    message = error.get("message") if isinstance(error, Mapping) else error
    text = str(message)[:MAX_DETAIL_CHARACTERS] if message else ""
    return f" It said: {text}" if text else ""


def _retry_after(response: httpx.Response) -> float | None:
    try:
        return max(0.0, float(response.headers.get("retry-after", "")))
    except ValueError:
        return None
