"""What programs send, parsed once, at the door."""

import json
import math
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from django.http.request import UnreadablePostError

from chat.forms import no_such_model, too_long
from chat.text import clean, say

MAX_SYSTEM_PROMPT_CHARACTERS = 20_000
MAX_KEY_CHARACTERS = 200
MAX_TITLE_CHARACTERS = 200
APPROVALS = ("wait", "deny")


class BadRequest(Exception):
    """The body cannot be used. Its text says why, or the texts of its fields do together."""

    def __init__(
        self,
        message: str,
        *,
        fields: dict[str, str] | None = None,
        status: int = 400,
        code: str = "BAD_REQUEST",
    ) -> None:
        super().__init__(message)
        self.fields = fields or {}
        self.status = status
        self.code = code

    @classmethod
    def of(cls, problems: dict[str, str]) -> "BadRequest":
        """With a sentence for each field that cannot be used."""
        return cls(" ".join(dict.fromkeys(problems.values())), fields=problems)


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A valid body of a request that starts a run. `servers`: those that are on from now on.

    `replaces`: the question that this is another version of; `regenerates`: the one that is to be
    answered once more, without a `message`.
    """

    message: str
    replaces: int | None = None
    regenerates: int | None = None
    conversation_id: UUID | None = None
    system_prompt: str | None = None
    model_name: str = ""
    servers: list[str] | None = None
    idempotency_key: str | None = None
    denies_approvals: bool = False


def read_question(request: HttpRequest, *, approvals: str = "wait") -> Question:
    """`approvals`: what holds where the body says nothing. Raises BadRequest, per field."""
    body = {"approvals": approvals, **read_object(request)}
    problems: dict[str, str] = {}
    texts = {
        name: _text(body, name, problems)
        for name in ("message", "conversation_id", "system_prompt", "model_name", "approvals")
    }
    versions = {name: _number(body, name, problems) for name in ("replaces", "regenerates")}
    if versions["regenerates"] is None:
        _check_message(texts["message"], problems)
    elif texts["message"]:
        problems["message"] = "There is no message when an answer is regenerated."
    _check(texts, problems)
    servers = _names(body, "servers", problems)
    key = clean(request.headers.get("Idempotency-Key", "")).strip()
    if len(key) > MAX_KEY_CHARACTERS:
        problems["Idempotency-Key"] = f"At most {MAX_KEY_CHARACTERS} characters."
    if problems:
        raise BadRequest.of(problems)
    return Question(
        message=texts["message"],
        **versions,
        conversation_id=UUID(texts["conversation_id"]) if texts["conversation_id"] else None,
        system_prompt=None if body.get("system_prompt") is None else texts["system_prompt"],
        model_name=texts["model_name"],
        servers=servers,
        idempotency_key=key or None,
        denies_approvals=texts["approvals"] == "deny",
    )


def read_changes(request: HttpRequest) -> dict[str, Any]:
    """What is to be changed of a conversation, by name. Raises BadRequest."""
    body = read_object(request)
    problems: dict[str, str] = {}
    for name, value in body.items():
        body[name], problem = _change(name, value)
        problems |= {clean(name): problem} if problem else {}
    if problems or not body:
        raise BadRequest.of(problems) if problems else BadRequest("There is nothing to change.")
    return body


def _change(name: str, value: Any) -> tuple[Any, str]:
    """The value as it is to be, and a sentence if it cannot be."""
    match name:
        case "title":
            return read_title(value) if isinstance(value, str) else (value, "title must be a text.")
        case "system_prompt" if isinstance(value, str):
            return read_prompt(value)
        case "system_prompt":
            return value, "system_prompt must be a text."
        case "is_pinned" | "is_archived":
            return value, "" if isinstance(value, bool) else f"{name} must be true or false."
        case "current_message_id":
            return value, "" if is_key(value) else f"{name} must be the number of a message."
        case _:
            known = "title, system_prompt, is_pinned, is_archived and current_message_id"
            return value, f"Only {known} can be changed."


def read_title(text: str) -> tuple[str, str]:
    """A title on one line, and a sentence if it cannot be one."""
    title = " ".join(clean(text).split())
    if not title:
        return "", say("title must not be empty.")
    if len(title) > MAX_TITLE_CHARACTERS:
        most = MAX_TITLE_CHARACTERS
        return "", say("title may have {most} characters at most.", most=most)
    return title, ""


def is_key(value: object) -> bool:
    """Whether it can be the number of a row."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 63


def read_prompt(text: str) -> tuple[str, str]:
    """A system prompt, and a sentence if it is too long."""
    prompt = clean(text).replace("\r\n", "\n")
    if len(prompt) > MAX_SYSTEM_PROMPT_CHARACTERS:
        most = f"{MAX_SYSTEM_PROMPT_CHARACTERS:,}"
        return prompt, say("A system prompt may have {most} characters at most.", most=most)
    return prompt, ""


def page_number(request: HttpRequest) -> int:
    """`?page=`, 1 where it is not given. Raises BadRequest."""
    text = request.GET.get("page") or "1"
    if not (text.isascii() and text.isdigit() and 0 < len(text) <= 9 and int(text)):
        raise BadRequest("page must be a number, 1 or more.")
    return int(text)


def read_object(request: HttpRequest) -> dict[str, Any]:
    """The body as a JSON object. Raises BadRequest."""
    try:
        body = parsed(request.body)
    except RequestDataTooBig as error:
        raise BadRequest("The body is too large.", status=413, code="TOO_LARGE") from error
    except UnreadablePostError as error:
        raise BadRequest("The body broke off.") from error
    except (ValueError, RecursionError) as error:
        raise BadRequest("The body is not JSON.") from error
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object.")
    return body


def parsed(text: bytes | str) -> Any:
    """The value of a JSON text that every database can store. Raises ValueError, RecursionError."""
    return json.loads(text, parse_constant=_refuse, parse_float=_finite)


def _refuse(constant: str) -> None:
    """NaN and infinity, which JSON in Python reads and no database stores."""
    raise ValueError(constant)


def _finite(text: str) -> float:
    """1e999 is a number in JSON, and infinity in Python."""
    if not math.isfinite(number := float(text)):
        raise ValueError(text)
    return number


def _text(body: dict[str, Any], name: str, problems: dict[str, str]) -> str:
    value = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        problems[name] = f"{name} must be a text."
        return ""
    return clean(value)


def _number(body: dict[str, Any], name: str, problems: dict[str, str]) -> int | None:
    value: int | None = body.get(name)
    if value is not None and not is_key(value):
        problems[name] = f"{name} must be the number of a question."
        return None
    return value


def _names(body: dict[str, Any], name: str, problems: dict[str, str]) -> list[str] | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        problems[name] = f"{name} must be a list of texts."
        return None
    return value


def _check_message(message: str, problems: dict[str, str]) -> None:
    if not message.strip():
        problems.setdefault("message", say("message must not be empty."))
    elif len(message) > settings.MAX_MESSAGE_CHARACTERS:
        problems["message"] = too_long(message)


def _check(texts: dict[str, str], problems: dict[str, str]) -> None:
    model_name = texts["model_name"]
    texts["system_prompt"], problem = read_prompt(texts["system_prompt"])
    problems |= {"system_prompt": problem} if problem else {}
    if model_name and model_name not in settings.LLM_MODELS:
        problems["model_name"] = no_such_model()
    if texts["approvals"] and texts["approvals"] not in APPROVALS:
        problems["approvals"] = 'approvals must be "wait" or "deny".'
    try:
        if texts["conversation_id"]:
            UUID(texts["conversation_id"])
    except ValueError:
        problems["conversation_id"] = "conversation_id must be a UUID."
