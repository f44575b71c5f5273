"""The addresses of the admin, from the URLconf: new ones are in by themselves."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.urls import URLPattern, URLResolver, reverse

from chat.models import AgentRun, ApiToken, Conversation, MCPServer, MCPTool, ToolRun
from chatsite import urls
from tests.people import Person
from tests.sse import begin, read, wait_until

# What all staff have: where they sign in and out, an empty list, words for scripts, their password.
OPEN = {"index", "login", "logout", "password_change", "password_change_done", "jsi18n"}


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
        # On record a moment after they are offered.
        "mcptool": wait_until(MCPTool.objects.filter(server__slug="main").first),
    }
    return [*beside(), *addresses(found)]


def beside() -> list[str]:
    """Of chatsite/urls.py, not of `admin.site.urls`: about nothing that has an id."""
    roots = [root for root in urls.urlpatterns if isinstance(root, URLPattern)]
    found = [f"/{root.pattern}" for root in roots if str(root.pattern).startswith("admin/")]
    assert not re.search(r"[<(]", "".join(found)), found
    return found


def addresses(found: dict[str, Any]) -> Iterator[str]:
    models = {it._meta.model_name: it for it in admin.site._registry}
    for prefix, pattern in routes(admin.site.urls[0]):
        if pattern.name in OPEN:
            continue
        if pattern.name is None:
            # Django's: addresses of before, and all that is nowhere. Ours have names.
            assert pattern.callback.__module__.startswith("django."), pattern
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
