"""Who may open what of the admin: all of its routes × everybody. New ones are in by themselves."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import httpx
import pytest
from django.contrib import admin
from django.urls import URLPattern, URLResolver, reverse

from chat.models import AgentRun, ApiToken, Conversation, MCPServer, MCPTool, StaffAccess, ToolRun
from tests.people import Person
from tests.servers.site import Site
from tests.sse import begin, read

# What all staff have: where they sign in and out, an empty list, words for scripts, their password.
OPEN = {"index", "login", "logout", "password_change", "password_change_done", "jsi18n"}
# The admin knows no other differences: what is no POST is read as a GET.
VERBS = ("GET", "POST", "DELETE")
# Beside those of `admin.site.urls`: chatsite/urls.py.
OTHERS = ("/admin/model-checks/", "/admin/health/", "/admin/usage/")
# "There is nothing here", "this is not for you", "sign in as somebody else", "not like this".
REFUSED = {302, 403, 404, 405}


@pytest.fixture
def dave(site: Site) -> Iterator[Person]:
    """Dave is staff and may do nothing."""
    with Person("dave", site, is_staff=True) as person:
        person.user.is_superuser = False
        person.user.save()
        yield person


@pytest.fixture
def pages(alice: Person) -> list[str]:
    """With ids of what is there: Alice's where it can be hers."""
    started = begin(alice.api, '[[call echo {"text": "A secret of Alice"}]][[then]][[text Hi.]]')
    read(alice.api, started["run_id"])
    found: dict[str, Any] = {
        "conversation": Conversation.objects.get(owner=alice.user),
        "agentrun": AgentRun.objects.get(owner=alice.user),
        "toolrun": ToolRun.objects.get(owner=alice.user),
        "apitoken": ApiToken.objects.get(owner=alice.user),
        "user": alice.user,
        "mcpserver": MCPServer.objects.get(slug="main"),
        "mcptool": MCPTool.objects.filter(server__slug="main").first(),
    }
    return [*OTHERS, *addresses(found)]


def addresses(found: dict[str, Any]) -> Iterator[str]:
    models = {it._meta.model_name: it for it in admin.site._registry}
    for prefix, pattern in routes(admin.site.urls[0]):
        if pattern.name in OPEN or pattern.name is None:
            continue
        model = prefix.split("/")[1] if prefix else ""
        row = found.get(model) or (models[model]._default_manager.first() if model else None)
        known = {"slug": "main", "part": "result", "app_label": "chat", "url": "x"}
        known |= dict.fromkeys(("pk", "object_id", "id"), row.pk if row else 1)
        known |= {"content_type_id": 1}
        arguments = {name: known[name] for name in pattern.pattern.regex.groupindex}
        yield reverse(f"admin:{pattern.name}", kwargs=arguments)


def routes(patterns: list[Any], prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, prefix + str(pattern.pattern))
        else:
            yield prefix, pattern


@pytest.mark.slow
def test_the_admin_is_for_staff_who_may(
    alice: Person, dave: Person, pages: list[str], site: Site
) -> None:
    assert len(pages) > 70
    before = [ToolRun.objects.get(owner=alice.user).result, MCPServer.objects.count()]

    with httpx.Client(base_url=site.url) as nobody:
        for client in (nobody, alice.http, dave.http):
            client.get("/accounts/login/" if client is nobody else "/")
            client.headers["X-CSRFToken"] = client.cookies["csrftoken"]
            for url, verb in product(pages, VERBS):
                answer = client.request(verb, url, headers={"Referer": site.url})
                who = (verb, url, answer.status_code, client is dave.http)
                assert answer.status_code in REFUSED, who
                assert "secret of Alice" not in answer.text, who

    assert [ToolRun.objects.get(owner=alice.user).result, MCPServer.objects.count()] == before
    assert not StaffAccess.objects.filter(owner=alice.user).exists()


def test_a_token_does_not_open_the_admin(carol: Person, pages: list[str]) -> None:
    """What a program may do is the API; the admin is for people at a browser."""
    for url in pages:
        answer = carol.api.get(url)
        assert answer.status_code in REFUSED, (url, answer.status_code)
