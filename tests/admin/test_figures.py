"""The pages of figures: what they count is what there is, and who may see them."""

import secrets
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.utils import timezone

from chat.admin.figures.spans import LAST_DAY, MONTH, WEEK
from chat.admin.figures.tools import tool_health
from chat.admin.figures.usage import usage_of
from chat.models import AgentRun, Conversation, ToolRun, UsageEntry
from tests.people import Person
from tests.servers.site import Site
from tests.sse import wait_until


@pytest.fixture(autouse=True)
def _counted_anew() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def called(person: Person, server: str, states: list[str]) -> list[ToolRun]:
    """A call for each state, the first one now; the n-th took n milliseconds."""
    conversation = Conversation.objects.create(owner=person.user)
    question = conversation.messages.create(role="user", content="?")
    run = AgentRun.objects.create(
        conversation=conversation, owner=person.user, message=question, status="completed"
    )
    now = timezone.now()
    return ToolRun.objects.bulk_create(
        ToolRun(
            run=run,
            owner=person.user,
            call_id=f"call_{number}",
            iteration=1,
            tool="weigh",
            server_name=server,
            state=state,
            duration_ms=number,
            created_at=now - timedelta(microseconds=number),
        )
        for number, state in enumerate(states, 1)
    )


def test_health_has_every_call_and_leads_to_the_last_failure(alice: Person, carol: Person) -> None:
    server = f"Scales {secrets.token_hex(4)}"
    states = ["ok"] * 90 + ["timeout"] * 4 + ["tool_error"] * 3 + ["denied", "lost", "blocked"]
    rows = called(alice, server, states)
    old = called(alice, server, ["timeout"])[0]
    ToolRun.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=20))

    shown = {
        span.name: next(each for each in tool_health(span).servers if each.name == server)
        for span in (LAST_DAY, MONTH)
    }

    tool = shown["24h"].tools["weigh"]
    assert tool.shown == shown["24h"].shown == ["100", "5", "4", "50 ms", "95 ms"]
    assert tool.last_failure == rows[90].pk
    assert shown["30d"].shown[:3] == ["101", "5", "5"]
    link = f"/admin/chat/toolrun/{rows[90].pk}/change/"
    wait_until(lambda: link in carol.http.get("/admin/health/").text, 20)
    page = carol.http.get("/admin/health/?span=30d").text
    assert page.count("<g><title>") == 30
    assert '<svg viewBox="0 0 640 97" role="img" aria-labelledby="calls-title calls-about">' in page


def test_usage_is_told_by_day_person_and_model(
    alice: Person, bob: Person, new_site: Callable[..., Site]
) -> None:
    now = timezone.now()
    for person, model_name, days, amounts in (
        (alice, "large", 0, (1, 1000, 20, 0.5)),
        (alice, "large", 0, (0, 500, 10, 0.25)),
        (alice, "small", 3, (1, 7, 3, None)),
        (alice, "small", 3, (1, None, None, None)),
        (alice, "small", 8, (1, 10**6, 0, None)),
        (bob, "large", 0, (1, 2, 1, 0.25)),
    ):
        runs, read, written, cost = amounts
        UsageEntry.objects.create(
            **{"person": person.user, "model_name": model_name, "at": now - timedelta(days=days)},
            **{"runs": runs, "input_tokens": read, "output_tokens": written, "cost": cost},
        )

    found = usage_of(WEEK, person=alice.user.pk)

    assert found.total.shown == ["3", "1,507", "33", "$0.75"]
    assert found.total.silent == 1
    assert [figures.runs for _slot, figures in found.days] == [0, 0, 0, 2, 0, 0, 1]
    assert {each.name: each.shown for each in found.models} == {
        "large": ["1", "1,500", "30", "$0.75"],
        "small": ["2", "7", "3", "–"],
    }
    bobs = next(each for each in usage_of(WEEK).people if each.key == str(bob.user.pk))
    assert (bobs.name, bobs.shown) == (bob.username, ["1", "2", "1", "$0.25"])
    # The shared one may have counted days that are over before these rows were there.
    with Person("carol", new_site(), is_staff=True) as carol:
        page = carol.http.get(f"/admin/usage/?person={alice.user.pk}").text
    assert "1,507" in page
    assert alice.username in page
    assert bob.username not in page


def test_figures_are_for_staff_who_may_see_what_they_count(alice: Person) -> None:
    for path in ("/admin/health/", "/admin/usage/"):
        assert alice.http.get(path).status_code == 302
    alice.user.is_staff = True
    alice.user.save()
    for path in ("/admin/health/", "/admin/usage/"):
        assert alice.http.get(path).status_code == 403
    alice.user.user_permissions.add(Permission.objects.get(codename="view_usageentry"))
    assert alice.http.get("/admin/usage/").status_code == 200
    assert alice.http.get("/admin/usage/?person=999999999").status_code == 404
    assert alice.http.get("/admin/usage/?person=x&span=y").status_code == 404
    assert alice.http.get("/admin/usage/?span=nonsense").status_code == 200
    assert alice.http.get("/admin/health/").status_code == 403
    index = alice.http.get("/admin/").text
    assert "/admin/usage/" in index
    assert "/admin/health/" not in index
