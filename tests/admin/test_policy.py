"""The rules of tools in the admin: made, put in order, tried out, and held to."""

import re
from urllib.parse import urlencode

import pytest

from chat.models import MCPServer, ToolRule
from tests.admin.steps import Desk, definition, outcomes, post
from tests.people import Person
from tests.sse import ask

RULES = "/admin/chat/toolrule/"
CALL = "[[call ok {}]][[then]][[text done]]"


@pytest.fixture
def offering(desk: Desk) -> Desk:
    desk.offer(definition("ok", description="Finds.", annotations={"destructiveHint": False}))
    return desk


def would(staff: Person, person: str, desk: Desk, name: str = "ok") -> str:
    """What the page says, as plain words."""
    query = urlencode({"username": person, "tool": desk.tool(name).pk})
    page = staff.http.get(f"{RULES}try/?{query}")
    assert page.status_code == 200
    found = re.search(r'<section class="module outcome".*?</section>', page.text, re.S)
    return " ".join(re.sub(r"<[^>]+>", " ", found[0]).split()) if found else page.text


def test_a_rule_is_made_tried_out_and_held_to(carol: Person, offering: Desk) -> None:
    alice, desk = offering.alice, offering
    assert "Allow trusted server" in would(carol, alice.username, desk)
    server = MCPServer.objects.get(slug=desk.tool("ok").server.slug)

    fields = {"position": "1", "decision": "deny", "tool": "o*", "server": str(server.pk)}
    made = post(carol, f"{RULES}add/", f"{RULES}add/", **fields, hint="", group="")

    assert made.status_code == 302, made.text
    rule = ToolRule.objects.get(server=server)
    try:
        said = would(carol, alice.username, desk)
        assert f"Deny rule {rule.pk}: deny o* of {server}" in said
        assert outcomes(ask(alice.api, CALL)) == ["blocked"]
        assert f"rule {rule.pk}" not in would(carol, "nobody at all", desk)
        assert "There is nobody of that name." in would(carol, "nobody at all", desk)
        assert "not for this person" in would(carol, carol.username, desk)
        page = carol.http.get(RULES).text
        assert "The first rule that holds decides." in page
    finally:
        rule.delete()
    assert outcomes(ask(alice.api, CALL)) == ["ok"]


def test_who_may_not_see_the_rules_may_not_try_them(offering: Desk) -> None:
    alice = offering.alice
    alice.user.is_staff = True
    alice.user.save()
    for address in (RULES, f"{RULES}try/?username={alice.username}"):
        assert alice.http.get(address).status_code == 403


def test_an_admin_trusts_a_server(carol: Person, offering: Desk) -> None:
    server = offering.tool("ok").server
    MCPServer.objects.filter(pk=server.pk).update(is_trusted=False)
    assert "Ask the person server not trusted yet" in would(
        carol, offering.alice.username, offering
    )
    page = carol.http.get(f"/admin/chat/mcpserver/{server.pk}/change/").text
    assert 'name="is_trusted"' in page
