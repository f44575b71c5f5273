"""Who may open what of the admin: all of its routes × everybody. New ones are in by themselves."""

from collections.abc import Iterator
from itertools import product

import httpx
import pytest

from chat.models import MCPServer, StaffAccess, ToolRun
from tests.people import Person
from tests.security.admin_addresses import beside
from tests.servers.site import Site

# The admin knows no other differences: what is no POST is read as a GET.
VERBS = ("GET", "POST", "DELETE")
# "There is nothing here", "this is not for you", "sign in as somebody else", "not like this".
REFUSED = {302, 403, 404, 405}


@pytest.fixture
def dave(site: Site) -> Iterator[Person]:
    """Dave is staff and may do nothing."""
    with Person("dave", site, is_staff=True) as person:
        person.user.is_superuser = False
        person.user.save()
        yield person


@pytest.mark.slow
def test_the_admin_is_for_staff_who_may(
    alice: Person, dave: Person, pages: list[str], site: Site
) -> None:
    assert len(pages) > 70
    assert {"/admin/model-checks/", "/admin/health/", "/admin/usage/"} <= set(beside())
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
