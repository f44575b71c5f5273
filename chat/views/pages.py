"""The pages and their fragments. They work without JavaScript; with it, they are only quicker."""

from collections.abc import Callable, Coroutine, Mapping
from functools import partial, wraps
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.middleware.gzip import GZipMiddleware
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme

from chat.errors import ChatError, QuotaExceeded, RunActive
from chat.forms import MessageForm
from chat.language import told
from chat.models import AgentRun, Conversation, Message, Preferences, questions
from chat.runs import changes, supervisor
from chat.runs.pool import in_pool, in_writer
from chat.views.access import person
from chat.views.bodies import BadRequest
from chat.views.server_choice import server_choices, servers_off, tool_count
from chat.views.sidebar import sidebar_for
from chat.views.theme import THEMES, remember, theme_of
from chat.views.turns import TURNS, number_in, turn_of, turn_to, turns_of

# Adds bytes at random, so that the length tells nobody what is in a page.
COMPRESS = GZipMiddleware(lambda request: HttpResponse())

Page = Callable[..., Coroutine[Any, Any, HttpResponse]]


def site(request: HttpRequest) -> dict[str, Any]:
    """The context processor: what every template may name."""
    return {
        "product_name": settings.SITE_NAME,
        "theme": theme_of(request),
        "is_demo_model": settings.LLM_PROVIDER == "demo",
    }


def page(method: str) -> Callable[[Page], Page]:
    """For signed-in people only: others are sent to sign in. Nothing of it is cached."""

    def decorate(view: Page) -> Page:
        @wraps(view)
        async def checked(request: HttpRequest, **kwargs: Any) -> HttpResponse:
            if request.method != method and (request.method, method) != ("HEAD", "GET"):
                return HttpResponseNotAllowed([method])
            # Templates read request.user; this one needs no database from the event loop.
            request.user = await person(request)
            if request.user is None:
                back = request.get_full_path() if method == "GET" else _home(request, **kwargs)
                return redirect_to_login(back)
            response = await view(request, **kwargs)
            response.headers["Cache-Control"] = "no-store"
            return response

        return checked

    return decorate


def _home(request: HttpRequest, pk: object = None, **kwargs: object) -> str:
    """Of what was posted: the conversation that it was for, where it was for one."""
    conversation = f"/c/{pk}/"
    return conversation if request.path.startswith(conversation) else "/"


@page("GET")
async def new_chat(request: HttpRequest) -> HttpResponse:
    return await show_page(request, draft=request.GET.get("message", ""))


@page("GET")
async def conversation(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = await find_theirs(request, pk)
    if key := number_in(request, "message"):
        await turn_to(found, key)
    await changes.see(found)
    return await show_page(request, found)


@page("POST")
async def create_conversation(request: HttpRequest) -> HttpResponse:
    return await _ask(request, None)


@page("POST")
async def create_message(request: HttpRequest, pk: UUID) -> HttpResponse:
    return await _ask(request, await find_theirs(request, pk))


@page("GET")
async def sidebar(request: HttpRequest) -> HttpResponse:
    """The fragment that takes the place of the list when something in it has changed."""
    context = {"sidebar": await in_pool(sidebar_for, request)}
    return await render_page(request, "chat/_conversations.html", context)


@page("GET")
async def run(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The fragment of one question and its answer, as the server would show it."""
    found = await _find_run(request, pk)
    await changes.see(found.conversation)
    context = {"turn": await in_pool(turn_of, found), "is_last": True}
    return await render_page(request, "chat/_turn.html", context)


@page("POST")
async def cancel_run(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = await _find_run(request, pk)
    await supervisor.cancel(found)
    return see_other(found.conversation.get_absolute_url())


async def theme(request: HttpRequest) -> HttpResponse:
    """Remember light or dark; anything else means: as the system is."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    back = request.headers.get("Referer", "")
    is_ours = url_has_allowed_host_and_scheme(back, {request.get_host()})
    response = see_other(back if is_ours else "/")
    chosen = request.POST.get("theme", "")
    remember(response, chosen)
    if owner := await person(request):
        await in_writer(Preferences.keep, owner, theme=chosen if chosen in THEMES else "system")
    return response


async def _ask(request: HttpRequest, conversation: Conversation | None) -> HttpResponse:
    form = MessageForm(request.POST)
    if not form.is_valid():
        problem = " ".join(str(error) for errors in form.errors.values() for error in errors)
        return await _refuse(request, conversation, problem, status=400)
    text, model_name = form.cleaned_data["message"], form.cleaned_data["model_name"]
    try:
        supervisor.check_open()
        # A box that is not ticked sends nothing: the form says that it had boxes.
        chosen = request.POST.getlist("servers") if "has_servers" in request.POST else None
        off = await in_pool(servers_off, int(request.user.pk or 0), chosen)
        ours = await in_pool(supervisor.as_ours)
        options = {"model_name": model_name, "servers_off": off, **ours}
        if conversation is None:
            store = partial(questions.begin, request.user, text, **options)
        elif key := form.cleaned_data["regenerates"]:
            store = partial(questions.regenerate, conversation, key, **options)
        else:
            options["replaces"] = form.cleaned_data["replaces"]
            store = partial(questions.ask, conversation, text, **options)
        stored = await supervisor.begin(lambda: (store(), True))
    except BadRequest as error:
        return await _refuse(request, conversation, str(error), status=400)
    except (Conversation.DoesNotExist, Message.DoesNotExist) as error:
        raise Http404 from error
    except ChatError as error:
        return await _refuse(request, conversation, str(error), status=_status(error))
    return see_other(stored.conversation.get_absolute_url())


async def _refuse(
    request: HttpRequest, conversation: Conversation | None, problem: str, *, status: int
) -> HttpResponse:
    """The page again, with the sentence, what was written and the model that was chosen."""
    kept = {"draft": request.POST.get("message", ""), "problem": told(problem)}
    if (chosen := request.POST.get("model_name", "")) in settings.LLM_MODELS:
        kept["chosen_model_name"] = chosen
    return await show_page(request, conversation, status=status, **kept)


def _status(error: ChatError) -> int:
    match error:
        case RunActive():
            return 409
        case QuotaExceeded():
            return 429
        case _:
            return 503


async def show_page(
    request: HttpRequest, shown: Conversation | None = None, *, status: int = 200, **more: str
) -> HttpResponse:
    context = await in_pool(_page_context, request, shown)
    return await render_page(request, "chat/page.html", {**context, **more}, status=status)


def _page_context(request: HttpRequest, shown: Conversation | None) -> dict[str, Any]:
    wanted = max(TURNS, min(number_in(request, "turns") or 0, 99_999))
    at = number_in(request, "edit") or number_in(request, "message")
    turns, has_earlier = turns_of(shown, wanted, at) if shown else ([], False)
    latest = turns[-1].run if turns else None
    edited = number_in(request, "edit")
    active_run = None if latest is None or latest.is_over else latest
    servers = server_choices(int(request.user.pk or 0), shown)
    return {
        "conversation": shown,
        "turns": turns,
        "earlier_turns": max(wanted, len(turns)) + TURNS if has_earlier else 0,
        "edited": edited,
        "active_run": active_run and active_run.run,
        # Without scripts; not where it would wipe what somebody fills in.
        "looks_again": active_run and not active_run.is_asking and not edited,
        "sidebar": sidebar_for(request),
        "servers": servers,
        "tool_count": tool_count(servers),
        "model_name": shown.current_model_name if shown else settings.LLM_MODEL,
        "model_names": settings.LLM_MODELS,
        "most_characters": settings.MAX_MESSAGE_CHARACTERS,
    }


async def find_theirs(request: HttpRequest, pk: UUID) -> Conversation:
    found = await changes.find(request.user, pk)
    if found is None:
        raise Http404
    return found


async def _find_run(request: HttpRequest, pk: UUID) -> AgentRun:
    runs = AgentRun.objects.select_related("conversation", "message", "answer")
    theirs = runs.filter(owner_id=request.user.pk, conversation__deleted_at=None)
    found = await in_pool(theirs.filter(pk=pk).first)
    if found is None:
        raise Http404
    return found


async def render_page(
    request: HttpRequest, template: str, context: Mapping[str, Any], *, status: int = 200
) -> HttpResponse:
    """A template, rendered and compressed beside the event loop: both take their time."""

    def made() -> HttpResponse:
        response = render(request, template, context, status=status)
        COMPRESS.process_response(request, response)
        return response

    # asyncio.to_thread would leave the language behind.
    return await sync_to_async(made, thread_sensitive=False)()


def see_other(url: str) -> HttpResponse:
    """After a POST: the page that shows what came of it."""
    return HttpResponse(status=303, headers={"Location": url})
