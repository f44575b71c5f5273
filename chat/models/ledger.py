"""The chain of finished tool runs: who can write to the database cannot change one unnoticed.

Every seal is made with a key that is not in the database. See docs/decisions/0021-the-chain.md.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

# What the digest of a tool run covers, beside its result, as the database names it: with who asked,
# in which conversation, and what a person was asked before and said. One name more or less, and no
# entry of before would fit its row: then entries need a version.
COVERED = (
    *("id", "owner_id", "run_id", "run__owner_id", "run__conversation_id", "call_id", "iteration"),
    *(
        "tool",
        "usage",
        "title",
        "server_name",
        "arguments",
        "invalid_arguments",
        "state",
        "fingerprint",
        "rule",
    ),
    *("result_bytes", "duration_ms", "created_at", "started_at", "finished_at"),
    *("approval__state", "approval__fingerprint", "approval__arguments"),
    *("approval__changed_arguments", "approval__decided_at"),
)
# Who decided may delete their account, and then it is empty: the entry knows it.
DECIDER = "approval__decided_by_id"
# What stands for a result that was removed for its age.
REMOVED_RESULT = "[The result was removed: it was older than results are kept here.]"


class LedgerEntry(models.Model):
    """The place of one finished tool run in the chain; it stays when the tool run goes.

    `seal` covers number, tool run, digest, time and the seal before it. What is removed rightly is
    signed for in `removal_seal`. A removed stretch is one entry: that of its last number, with the
    number of its first; nothing of its tool runs is kept.
    """

    class Removed(models.TextChoices):
        NOTHING = "", _("nothing")
        RESULT = "result", _("the result")
        ALL = "all", _("all of it")
        STRETCH = "stretch", _("a whole stretch")

    class Why(models.TextChoices):
        NONE = "", "–"
        PERSON = "person", _("a person deleted it")
        ACCOUNT = "account", _("the account was deleted")
        RETENTION = "retention", _("it was old enough")

    number = models.PositiveBigIntegerField(_("number"), primary_key=True)
    # Not a foreign key: a row that is gone is what this must tell of.
    tool_run = models.UUIDField(_("tool run"), null=True, unique=True)
    digest = models.CharField(_("digest"), max_length=64, blank=True)
    decided_by = models.BigIntegerField(null=True)
    sealed_at = models.DateTimeField(_("sealed at"))
    seal = models.CharField(_("seal"), max_length=64)
    removed = models.CharField(
        _("removed"), max_length=7, choices=Removed.choices, default=Removed.NOTHING, blank=True
    )
    removed_at = models.DateTimeField(_("removed at"), null=True)
    why = models.CharField(_("why"), max_length=9, choices=Why.choices, default="", blank=True)
    # Of a result that was removed: the digest covers this.
    result_digest = models.CharField(max_length=64, blank=True)
    first = models.PositiveBigIntegerField(_("first"), null=True)
    removal_seal = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["number"]
        verbose_name = _("place in the chain")
        verbose_name_plural = _("places in the chain")
        indexes = [
            models.Index(
                fields=["number"],
                condition=models.Q(removed__in=["all", "stretch"]),
                name="ledgerentry_removed",
            )
        ]

    def __str__(self) -> str:
        return f"{self.begins}–{self.number}" if self.first else str(self.number)

    @property
    def begins(self) -> int:
        return self.first or self.number

    def parts(self, before: str) -> tuple[object, ...]:
        """What the seal covers; `before` is the seal before this one."""
        return "entry", self.number, self.tool_run, self.digest, self.sealed_at, before

    def removal_parts(self) -> tuple[object, ...]:
        """What the removal's seal covers."""
        own = (self.first, self.number, self.tool_run, self.seal)
        return "removal", *own, self.removed, self.removed_at, self.why, self.result_digest

    def remove(self, what: str, why: str, *, result_digest: str = "") -> None:
        """Note, signed, that something of it was removed. Not saved."""
        self.removed, self.why, self.removed_at = what, why, timezone.now()
        self.result_digest = result_digest
        if what != self.Removed.RESULT:
            self.decided_by = None
        if what == self.Removed.STRETCH:
            self.tool_run, self.digest = None, ""
        self.removal_seal = sign(self.removal_parts())


# What `remove` changes.
REMOVAL_FIELDS = (
    *("removed", "removed_at", "why", "result_digest", "first", "removal_seal"),
    *("decided_by", "tool_run", "digest"),
)


class LedgerHead(models.Model):
    """The end of the chain: one row, whose lock is the turn to add to it.

    Signed, so that entries cannot be cut off. Tool runs from before there was a chain, asked for
    before `adopts_before`, are taken in as they are; empty once that is done.
    """

    number = models.PositiveBigIntegerField(default=0)
    seal = models.CharField(max_length=64, blank=True)
    adopts_before = models.DateTimeField(null=True)
    signature = models.CharField(max_length=64)
    # What the last verification found; for reading only.
    verified_at = models.DateTimeField(null=True)
    problems = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.number}:{self.seal}"

    def parts(self) -> tuple[object, ...]:
        return "head", self.number, self.seal, self.adopts_before

    @property
    def is_ours(self) -> bool:
        return is_signed(self.parts(), self.signature)

    @classmethod
    def beginning(cls) -> dict[str, Any]:
        """The fields of the end of a chain that is empty, and takes in what is there already."""
        head = cls(adopts_before=timezone.now())
        return {"adopts_before": head.adopts_before, "signature": sign(head.parts())}

    def extend(self, tool_run: UUID, digest: str, decided_by: int | None) -> LedgerEntry:
        """The next entry; neither is saved."""
        entry = LedgerEntry(
            number=self.number + 1,
            tool_run=tool_run,
            digest=digest,
            decided_by=decided_by,
            sealed_at=timezone.now(),
        )
        entry.seal = sign(entry.parts(self.seal))
        self.number, self.seal = entry.number, entry.seal
        return entry

    def sign_and_save(self) -> None:
        self.signature = sign(self.parts())
        self.save(update_fields=["number", "seal", "adopts_before", "signature"])


def result_digest_of(result: str) -> str:
    return hashlib.sha256(result.encode("utf-8", "surrogatepass")).hexdigest()


def mark_of(run_id: UUID, call_id: str, state: str, result: str) -> str:
    """What says that this end of a call was written by us; made with the row's last change."""
    return sign(("end", run_id, call_id, state, result_digest_of(result)))


def is_marked(row: Mapping[str, Any]) -> bool:
    """Whether a finished tool run has the mark that we gave it."""
    end = (row["run_id"], row["call_id"], row["state"], result_digest_of(row["result"]))
    return is_signed(("end", *end), row["mark"])


def digest_of(row: Mapping[str, Any], result_digest: str, decided_by: int | None) -> str:
    """Over a tool run as COVERED names it, in one form for every database."""
    content = {name: row[name] for name in COVERED}
    content |= {"result": result_digest, DECIDER: decided_by}
    return hashlib.sha256(_canonical(content)).hexdigest()


def sign(parts: Iterable[object]) -> str:
    return _signature(settings.SECRET_KEY, _canonical(list(parts)))


def is_signed(parts: Iterable[object], signature: str) -> bool:
    """With the key of now, or one of those before it."""
    text = _canonical(list(parts))
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return any(hmac.compare_digest(_signature(key, text), signature) for key in keys)


def _signature(secret: str, text: bytes) -> str:
    return hmac.digest(_key(secret), text, "sha256").hex()


@cache
def _key(secret: str) -> bytes:
    return hashlib.sha256(b"chat.models.ledger " + secret.encode()).digest()


def _canonical(value: object) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=_plain)
    return text.encode()


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
