"""Answers of people to the questions of MCP servers."""

import json
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils import timezone

from chat.events import encode
from chat.input_form import answered, content_of, problems_of
from chat.language import told
from chat.models import InputRequest
from chat.runs import supervisor
from chat.runs.pool import in_pool
from chat.views.access import ApiRequest, api, failure, not_found
from chat.views.asking import Asked
from chat.views.bodies import BadRequest, read_object
from chat.views.pages import page, render_page, see_other

ACTIONS = ("accept", "decline", "cancel")


@api("POST")
async def answers(request: ApiRequest, pk: UUID) -> HttpResponseBase:
    """200; 400 where the content does not fit; 409 when it is too late."""
    asked = await _find(request.person, pk)
    if asked is None:
        return not_found()
    body = read_object(request)
    action, content = body.get("action"), body.get("content", {})
    if action not in ACTIONS:
        raise BadRequest('action must be "accept", "decline" or "cancel".')
    if not isinstance(content, dict):
        raise BadRequest("content must be a JSON object.")
    if problems := _problems(asked, action, content):
        raise BadRequest.of(problems)
    if not await _answer(asked, action, content):
        return failure("This has been answered already, or is over.", "ANSWERED", status=409)
    return JsonResponse({"id": str(asked.pk), "action": action})


@page("GET")
async def question(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The fragment of one question, for a page that is open already."""
    asked = await _find(request.user, pk)
    if asked is None:
        return HttpResponse(status=404)
    return await render_page(request, "chat/_asked.html", {"entry": _shown(asked)})


@page("POST")
async def answer(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The answer from the page's form; with problems, the form again with what was filled in."""
    asked = await _find(request.user, pk)
    if asked is None:
        return HttpResponse(status=404)
    action = request.POST.get("action", "")
    if action not in ACTIONS:
        return HttpResponse(status=400)
    content = content_of(asked.schema, dict(request.POST.lists())) if action == "accept" else {}
    if problems := _problems(asked, action, content):
        told_problems = {name: told(problem) for name, problem in problems.items()}
        entry = replace(_shown(asked), given=content, problems=told_problems)
        return await render_page(request, "chat/asked.html", {"entry": entry}, status=400)
    # Answered twice, or too late: the conversation shows what counts.
    await _answer(asked, action, content)
    conversation = await in_pool(lambda: asked.run.conversation)
    return see_other(conversation.get_absolute_url())


async def _find(person: Any, pk: UUID) -> InputRequest | None:
    rows = InputRequest.objects.filter(run__owner=person, run__conversation__deleted_at=None)
    return await in_pool(rows.select_related("run").filter(pk=pk).first)


def _shown(asked: InputRequest) -> Asked:
    """As the rail shows it. Where it stands there is known to the page that asks."""
    is_answered = asked.state != InputRequest.State.OPEN
    # Whose process died before it could note that it had expired, is over all the same.
    is_open = not is_answered and asked.expires_at > timezone.now()
    data = {
        "id": str(asked.pk),
        "server": asked.server_name,
        "tool": asked.tool,
        "message": asked.message,
        "mode": asked.mode,
        "schema": asked.schema,
        "url": asked.url,
        "action": asked.state if is_answered else None,
    }
    return Asked(step=0, data=data, is_open=is_open)


def _problems(asked: InputRequest, action: str, content: dict[str, Any]) -> dict[str, str]:
    is_form = action == "accept" and asked.mode == InputRequest.Mode.FORM
    return problems_of(asked.schema, content) if is_form else {}


async def _answer(asked: InputRequest, action: str, content: dict[str, Any]) -> bool:
    if asked.expires_at <= timezone.now():
        return False
    is_form = action == "accept" and asked.mode == InputRequest.Mode.FORM
    given = answered(asked.schema, content) if is_form else {}
    # As it will be read back: what no database can hold is replaced.
    return await supervisor.answer(asked.pk, action, json.loads(encode(given)))
