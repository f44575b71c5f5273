"""Decisions of people on calls that wait for one: allow or deny, once, by the owner."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils import timezone
from django.utils.translation import gettext

from chat.events import encode
from chat.models import ACTIVE_STATUSES, Approval
from chat.providers.tool_arguments import check_storable
from chat.runs import supervisor
from chat.runs.pool import in_pool, in_writer
from chat.runs.tools.approvals import decided_by, forget
from chat.text import say
from chat.views.access import ApiRequest, api, failure, not_found
from chat.views.asking import Permission
from chat.views.bodies import BadRequest, parsed, read_object
from chat.views.pages import page, render_page, see_other

STATES = {"allow": Approval.State.ALLOWED, "deny": Approval.State.DENIED}
REMEMBER = "conversation"


@api("POST")
async def approvals(request: ApiRequest, pk: UUID) -> HttpResponseBase:
    """200; 400 where the body cannot be used; 409 where it is decided or over."""
    approval = await _find(request.person, pk)
    if approval is None:
        return not_found()
    body = read_object(request)
    decision, remember, arguments = (body.get(k) for k in ("decision", "remember", "arguments"))
    problems = {}
    if not (isinstance(decision, str) and decision in STATES):
        problems["decision"] = 'decision must be "allow" or "deny".'
    if remember not in (None, REMEMBER):
        problems["remember"] = 'remember must be "conversation".'
    if not (arguments is None or _may_be_called_with(arguments)):
        problems["arguments"] = say("The arguments must be a JSON object.")
    if problems:
        raise BadRequest.of(problems)
    if not await _decide(approval, request.person, str(decision), bool(remember), arguments):
        return failure("This is decided already, or is over.", "DECIDED", status=409)
    return JsonResponse({"tool_run_id": str(pk), "decision": decision})


@page("GET")
async def approval(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The fragment of one call's card, for a page that is open already."""
    found = await _find(request.user, pk)
    if found is None:
        return HttpResponse(status=404)
    context = {"entry": shown(found), "conversation": found.tool_run.run.conversation_id}
    return await render_page(request, "chat/_approval.html", context)


@page("POST")
async def decide(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The decision from the page's card; where the arguments cannot be read, the card again."""
    found = await _find(request.user, pk)
    if found is None:
        return HttpResponse(status=404)
    decision = request.POST.get("decision", "")
    if decision not in (*STATES, "always"):
        return HttpResponse(status=400)
    is_allowed = decision != "deny"
    text = request.POST.get("arguments", "") if is_allowed else ""
    try:
        arguments = _read(text) if text.strip() else None
    except (ValueError, RecursionError):
        entry = shown(found, text, gettext("The arguments must be a JSON object."))
        return await render_page(request, "chat/approval.html", {"entry": entry}, status=400)
    # Decided twice, or too late: the conversation shows what counts.
    said = "allow" if is_allowed else "deny"
    await _decide(found, request.user, said, decision == "always", arguments)
    conversation = await in_pool(lambda: found.tool_run.run.conversation)
    return see_other(conversation.get_absolute_url())


def _read(text: str) -> dict[str, Any]:
    """Raises ValueError for what is no JSON object, RecursionError for what is too deep."""
    value: dict[str, Any] = parsed(text)
    if not _may_be_called_with(value):
        raise ValueError
    return value


def _may_be_called_with(value: Any) -> bool:
    """Whether these may be the arguments of a call: the same as of a call by the model."""
    try:
        check_storable(value)
    except ValueError:
        return False
    return isinstance(value, dict)


@page("POST")
async def withdraw(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What was allowed for good in the conversation is asked about again."""
    found = await _find(request.user, pk)
    if found is None:
        return HttpResponse(status=404)
    await in_writer(forget, pk)
    return see_other(f"/c/{found.tool_run.run.conversation_id}/options/#allowed")


async def _find(person: Any, pk: UUID) -> Approval | None:
    rows = Approval.objects.select_related("tool_run__run", "tool_run__server")
    theirs = rows.filter(tool_run__run__owner=person, tool_run__run__conversation__deleted_at=None)
    return await in_pool(theirs.filter(tool_run=pk).first)


async def _decide(
    approval: Approval,
    person: Any,
    decision: str,
    remember: bool,
    arguments: Mapping[str, Any] | None,
) -> bool:
    # As it will be read back: what no database can hold is replaced.
    changed = None if arguments is None else json.loads(encode(arguments))
    is_allowed = decision == "allow"
    is_changed = is_allowed and changed is not None and not _same(changed, approval.arguments)
    return await supervisor.decide(
        approval.tool_run_id,
        STATES[decision],
        decided_by=person.pk,
        arguments=changed if is_changed else None,
        remember=remember and is_allowed,
    )


def _same(changed: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    """As JSON, where 1, 1.0 and true are not the same; the order of names does not count."""
    return json.dumps(changed, sort_keys=True) == json.dumps(asked, sort_keys=True)


def shown(approval: Approval, given: str = "", problem: str = "") -> Permission:
    """As the rail shows it. Where it stands there is known to the page that asks."""
    tool_run = approval.tool_run
    is_open = (
        approval.state == Approval.State.OPEN
        and approval.expires_at > timezone.now()
        and tool_run.run.status in ACTIVE_STATUSES
    )
    data = {"tool_run_id": str(tool_run.pk), "expires_at": approval.expires_at.isoformat()}
    if approval.state != Approval.State.OPEN:
        is_allowed = approval.state == Approval.State.ALLOWED
        data["decision"] = "allowed" if is_allowed else "denied"
        data["by"] = decided_by(approval)
    if approval.state == Approval.State.CANCELLED:
        data["by"] = ""
    if approval.remember:
        data["remember"] = REMEMBER
    changed = approval.changed_arguments
    return Permission(
        step=0,
        call={
            "id": tool_run.call_id,
            "name": tool_run.tool,
            "title": tool_run.title,
            "server": tool_run.server.slug if tool_run.server else "",
            "arguments": approval.arguments,
        },
        data=data if changed is None else data | {"arguments": changed},
        is_open=is_open,
        given=given,
        problem=problem,
    )
