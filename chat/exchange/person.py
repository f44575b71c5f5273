"""All that is kept of a person, as a zip file that is made while it is read. Changes nothing."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO, Any, cast
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZipFile

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.utils import timezone

from chat.exchange.document import Json
from chat.exchange.written import document_of
from chat.models import (
    ApiToken,
    Approval,
    Attachment,
    Conversation,
    InputRequest,
    MCPAuthorisation,
    Preferences,
    Session,
    StaffAccess,
    ToolRun,
    UsageEntry,
)

CHUNK_BYTES = 64 << 10
CALL = ("id", "run__conversation_id", "run_id", "call_id", "tool", "server_name", "rule", "state")
TIMES = ("created_at", "started_at", "finished_at")


class Sink:
    """What a ZipFile writes to, where nothing is kept that was taken."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits here for longer."""

    def take(self) -> bytes:
        taken, self._parts = b"".join(self._parts), []
        return taken


def archive_of(person: Any) -> Iterator[bytes]:
    """The bytes of the file, a chat or a piece of a file at a time."""
    sink = Sink()
    with ZipFile(cast(IO[bytes], sink), "w", ZIP_DEFLATED) as archive:
        for name, make in _documents(person):
            made = make()
            if made is not None:
                archive.writestr(name, json.dumps(made, ensure_ascii=False, indent=1, default=str))
                yield sink.take()
        keys = Attachment.objects.filter(run__owner=person).values_list("pk", flat=True)
        for key in list(keys):
            for _ in _file(archive, key):
                yield sink.take()
    yield sink.take()


def _documents(person: Any) -> Iterator[tuple[str, Callable[[], Json | list[Json] | None]]]:
    yield "account.json", lambda: account_of(person)
    yield "who-looked.json", lambda: _rows(_looks(person))
    yield "tool-calls.json", lambda: _rows(_calls(person))
    yield "usage.json", lambda: _rows(_usage(person))
    yield "approvals.json", lambda: _rows(_approvals(person))
    yield "answers-to-servers.json", lambda: _rows(_inputs(person))
    chats = Conversation.objects.filter(owner=person).order_by("created_at")
    for key, made_at in list(chats.values_list("pk", "created_at")):
        yield f"chats/{made_at:%Y-%m-%d}-{key}.json", partial(_chat, key)


def _chat(key: UUID) -> Json | None:
    """Can be imported again. None where it was erased meanwhile."""
    conversation = Conversation.objects.filter(pk=key).first()
    return document_of(conversation) if conversation else None


def account_of(person: Any) -> Json:
    """What belongs to no chat. No password, no token, no key of a session."""
    chosen = Preferences.of(person)
    return {
        "exported_at": timezone.now(),
        "username": person.get_username(),
        "name": person.get_full_name(),
        "email": person.email,
        "joined_at": person.date_joined,
        "last_login": person.last_login,
        "groups": list(person.groups.values_list("name", flat=True)),
        "preferences": {
            "theme": chosen.theme,
            "language": chosen.language,
            "system_prompt": chosen.system_prompt,
        },
        "api_tokens": list(
            ApiToken.objects.filter(owner=person).values("name", "created_at", "revoked_at")
        ),
        "second_factors": list(
            Authenticator.objects.filter(user=person).values("type", "created_at", "last_used_at")
        ),
        "single_sign_on": list(
            SocialAccount.objects.filter(user=person).values(
                "provider", "uid", "extra_data", "date_joined", "last_login"
            )
        ),
        "sessions": list(Session.live_of(person).values("user_agent", "seen_at", "expire_date")),
        "authorised_servers": list(
            MCPAuthorisation.objects.filter(user=person).values("server__name", "created_at")
        ),
    }


def _rows(rows: Any) -> list[Json]:
    return list(rows.iterator(200))


def _looks(person: Any) -> Any:
    return StaffAccess.objects.filter(owner=person).values(
        "at", "reader_name", "what", "about", "object_id"
    )


def _calls(person: Any) -> Any:
    """Arguments and results are in the chats."""
    return ToolRun.objects.filter(owner=person).values(*CALL, *TIMES, "usage", "fingerprint")


def _usage(person: Any) -> Any:
    return UsageEntry.objects.filter(person=person).values(
        "at", "model_name", "runs", "input_tokens", "output_tokens", "cost"
    )


def _approvals(person: Any) -> Any:
    return Approval.objects.filter(tool_run__owner=person).values(
        *("tool_run_id", "state", "arguments", "changed_arguments", "remember"),
        *("created_at", "decided_at", "decided_by_id"),
    )


def _inputs(person: Any) -> Any:
    return InputRequest.objects.filter(run__owner=person).values(
        *("run_id", "call_id", "tool", "server_name", "message", "url", "state", "content"),
        *("created_at", "answered_at"),
    )


def _file(archive: ZipFile, key: UUID) -> Iterator[None]:
    row = Attachment.objects.filter(pk=key).first()
    if row is None or not row.file.storage.exists(str(row.file.name)):
        return
    name = "".join(c if c.isalnum() or c in "._-" else "_" for c in str(row))[-100:]
    with row.file.open("rb") as source, archive.open(f"files/{row.pk}-{name}", "w") as target:
        while chunk := source.read(CHUNK_BYTES):
            target.write(chunk)
            yield
    yield
