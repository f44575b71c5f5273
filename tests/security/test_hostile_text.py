"""Hostile text wherever it can stand, on every page that shows it, in a real browser.

Nothing of it may run, nothing may be asked of another server, and the page's own policy must have
nothing to stop: whatever it stops has passed all that stands before it.
"""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from playwright.async_api import Browser, expect

from chat.models import AgentRun, Conversation, MCPTool, ToolRun
from tests.people import Person
from tests.security.hostile import TURNS, Seeded, seeded
from tests.security.hostile_steps import answer_live, played_again, shows_its_vectors
from tests.security.vectors import ALL, VECTORS, short
from tests.security.watched import POLICY, TABS, Watched
from tests.servers.model_server import ScriptedModelServer
from tests.servers.site import Site

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

SITE_NAME = "<script>confirm(1)</script><img src=x onerror=confirm(1)>"
NAME = "<img src=x onerror=alert(1)>"
# Nobody answers there: the name of the provider is what is shown.
SITE = {"SITE_NAME": SITE_NAME, "OIDC_NAME": NAME, "OIDC_CLIENT_ID": "x"}
SITE |= {"OIDC_CLIENT_SECRET": "x", "OIDC_SERVER_URL": "http://127.0.0.1:9"}
MODELS = "scripted,<svg onload=confirm(1)>,</option></select><script>confirm(1)</script>"
# What they are asked with is not shown.
NOWHERE = f"/nowhere/{quote(short(1, 80)[0], safe='')}/"
# Forms with nothing in them yet, and a chain of nothing but numbers.
EMPTY = ("auth/group/add/", "auth/user/add/", "chat/invitation/add/", "chat/quota/add/")
SILENT = (NOWHERE, *(f"/admin/{page}" for page in (*EMPTY, "chat/ledgerentry/")))
# Before anybody has signed in.
OUTSIDE = ("/accounts/login/", "/accounts/login/?next=javascript:alert(1)")
OWN_PAGES = (
    *("/", "/archive/", "/archive/?page=2", "/search/?q=alert", "/search/hits/?q=script"),
    *("/account/", "/sidebar/"),
    f"/search/?q={quote(short(1, 80)[0])}",
    f"/?message={quote(ALL)}",
    NOWHERE,
)
QUESTION = "What have you got?"


@pytest.fixture
def hostile_site(site: Site, new_site: Callable[..., Site]) -> Site:
    """After the shared one, which has collected the static files."""
    return new_site(**SITE, LLM_MODELS=MODELS)


@pytest.fixture
def mallory(hostile_site: Site) -> Iterator[Person]:
    """Owns all of it, and is called like it."""
    with Person(NAME, hostile_site) as person:
        yield person


@pytest.fixture
def admin_mallory(hostile_site: Site) -> Iterator[Person]:
    with Person(NAME, hostile_site, is_staff=True) as person:
        yield person


@pytest.fixture
def rows(mallory: Person, admin_mallory: Person) -> Iterator[Seeded]:
    with seeded(mallory, admin_mallory) as found:
        yield found


@pytest.fixture
def admin_pages(rows: Seeded, mallory: Person, admin_mallory: Person) -> list[str]:
    """Every list, every form that there is, and one row of each kind; pages of their own.

    Of kinds that are numbered it is the newest: other tests may have left rows before these.
    """
    hers = ToolRun.objects.filter(owner=mallory.user)
    run = AgentRun.objects.filter(owner=mallory.user).first()
    rows_of: dict[str, Any] = {
        "conversation": Conversation.objects.filter(owner=mallory.user).exclude(runs=None).first(),
        "toolrun": hers.exclude(invalid_arguments="").first(),
        "agentrun": run,
        "mcpserver": rows.servers[2],
        "mcptool": MCPTool.objects.filter(server=rows.servers[2]).first(),
        "mcpauthorisation": rows.servers[2].authorisations.first(),
        "user": mallory.user,
    }
    query = {"tool": quote(NAME), "username": quote(mallory.username)}
    pages = [
        *("", "health/", "usage/", "model-checks/", "chat/toolrule/try/"),
        "chat/toolrule/try/?tool={tool}&username={username}".format(**query),
        "chat/toolrun/?q=alert&tool={tool}&person={tool}".format(**query),
        "chat/toolrun/?person={username}".format(**query),
        *(f"chat/toolrun/{row.pk}/change/" for row in hers[:4]),
        f"chat/agentrun/{run.pk}/replay/" if run else "",
        f"chat/mcpauthorisation/servers/{rows.servers[1].slug}/",
        f"chat/mcpserver/{rows.servers[2].pk}/history/",
        *(f"chat/mcptool/?server__id__exact={rows.servers[2].pk}&p={place}" for place in (2, 3)),
    ]
    return [*(f"/admin/{page}" for page in pages), *forms(rows_of, admin_mallory)]


def forms(rows_of: dict[str, Any], person: Person) -> Iterator[str]:
    """Of each kind: those that this person may open."""
    request = HttpRequest()
    request.user = person.user
    for model, options in admin.site._registry.items():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield reverse(f"{name}_changelist")
        if options.has_add_permission(request):
            yield reverse(f"{name}_add")
        newest = model._default_manager.order_by("-pk").first()
        if row := rows_of.get(str(model._meta.model_name), newest):
            yield reverse(f"{name}_change", args=[row.pk])
            if options.has_delete_permission(request, row):
                yield reverse(f"{name}_delete", args=[row.pk])


@pytest_asyncio.fixture(loop_scope="session")
async def watched(browser: Browser, hostile_site: Site, tmp_path: Path) -> AsyncIterator[Watched]:
    # Nothing is routed: that would switch the browser's cache off, and `.example` is nowhere.
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    await context.add_init_script(POLICY)
    tabs = [await context.new_page() for _ in range(TABS)]
    yield Watched(context, tabs, hostile_site, tmp_path)
    await context.close()


async def sign_in(watched: Watched, person: Person, site: Site) -> None:
    cookie = {"name": "sessionid", "value": person.session_cookie, "url": site.url}
    await watched.context.clear_cookies()
    await watched.context.add_cookies([cookie])  # type: ignore[list-item]


async def test_what_must_not_happen_would_be_heard(watched: Watched) -> None:
    page = watched.tabs[0]
    vector = "<img src=x onerror=alert(1)><img src=https://hostile.example/a.png>"
    raw = f"<!doctype html>{vector}<a href=' javascript:alert(1)'>x</a>"
    await page.route("**/raw", lambda route: route.fulfill(body=raw, content_type="text/html"))

    await watched.look(page, "/raw")
    await watched.look(page, "/accounts/login/")
    await page.evaluate("(html) => { document.body.innerHTML = html }", vector)
    await expect(page.locator("img")).to_have_count(2)
    await page.evaluate("new Promise((done) => setTimeout(done, 100))")
    assert watched.silent == []
    await page.evaluate("document.body.innerHTML = 'alert(1)<main id=content></main>'")
    await watched.look(page)
    assert len(watched.silent) == 1

    heard = "\n".join(watched.heard)
    for sign in ("dialog: 1", "request: https://hostile.", "markup: A href", "policy: script-src"):
        assert sign in heard, heard


def told(vector: str) -> str:
    """A script of the model must not end in the middle of a vector."""
    return vector.replace("]]", "] ]")


def script() -> str:
    """An answer that is hostile in its thinking, its text, its calls and what these give back."""
    parts = [{"type": "text", "text": ALL}]
    for name in short(8, 100):
        uri = f"file:///{quote(name)}"
        parts.append({"type": "resource", "resource": {"uri": uri, "blob": "AAAA"}})  # type: ignore[dict-item]
    calls = [
        ("echo", {"text": ALL}),
        ("fail", {"text": ALL}),
        ("give", {"result": {"content": parts}}),
        ("<img/src=x/onerror=alert(1)>", {}),
        ("wipe", {"path": ALL}),
    ]
    asked = "".join(f"[[call {name} {told(json.dumps(given))}]]" for name, given in calls)
    return f"[[reason {told(ALL)}]][[text {told(ALL)}]]{asked}[[then]][[error {told(ALL)}]]"


async def test_nothing_hostile_runs_or_calls_home_on_any_page(
    watched: Watched,
    hostile_site: Site,
    model_server: ScriptedModelServer,
    mallory: Person,
    admin_mallory: Person,
    rows: Seeded,
    admin_pages: list[str],
) -> None:
    model_server.scripts[QUESTION] = script()
    page = watched.tabs[0]

    await watched.look_at([*OUTSIDE, *rows.invitations])
    await sign_in(watched, mallory, hostile_site)
    live = await answer_live(watched, page, QUESTION)
    await played_again(watched, page)
    for number, url in enumerate(rows.chats):
        await watched.look(page, url)
        await shows_its_vectors(page, VECTORS[number * TURNS :][:TURNS])
    options = [f"{url}options/" for url in rows.chats]
    await watched.look_at([*options, *OWN_PAGES, *rows.fragments, *rows.passkeys])
    for chat, kind in product((rows.chats[0], live.chat), ("markdown", "json")):
        await watched.look_at_file(page, f"/api/conversations{chat[2:]}export/?format={kind}")

    await sign_in(watched, admin_mallory, hostile_site)
    await watched.look_at([*admin_pages, *await asyncio.to_thread(live.admin_pages)])
    await watched.look(page, live.replay)
    await played_again(watched, page)
    await asyncio.to_thread(no_cell_is_a_formula, admin_mallory, mallory)

    assert watched.heard == []
    assert [url for url in watched.silent if not url.startswith(SILENT)] == []


def no_cell_is_a_formula(staff: Person, owner: Person) -> None:
    """Of the tool log as a spreadsheet opens it; it holds every vector, and some are formulas."""
    page = "/admin/chat/toolrun/"
    staff.http.get(page)
    form = {"csrfmiddlewaretoken": staff.http.cookies["csrftoken"], "format": "csv"}
    address = f"{page}exports/?person={quote(owner.username)}"
    answer = staff.http.post(address, data=form, headers={"Referer": staff.site.url})
    assert answer.headers["content-disposition"].startswith("attachment")
    cells = [cell for row in csv.reader(io.StringIO(answer.text)) for cell in row]
    assert sum("'" + vector in cells for vector in VECTORS) >= 5
    assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))] == []
