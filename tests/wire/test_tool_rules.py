"""Rules decide when a call is made, whatever a model, a person or a server said before."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chat.models import Approval, MCPServer, ToolRule, ToolRun
from chat.runs.tools.policy import policy_for
from tests.people import Person
from tests.servers.mcp_server import ScriptedMCPServer
from tests.servers.model_server import ScriptedModelServer
from tests.sse import ask, begin, read, wait_until
from tests.wire.approving import WIPE, decide, kinds, outcome, rule, waiting


@pytest.fixture(autouse=True)
def calls(mcp_server: ScriptedMCPServer) -> list[tuple[str, dict[str, Any]]]:
    """What was executed since the test began."""
    mcp_server.calls.clear()
    return mcp_server.calls


def test_an_order_in_a_result_does_not_get_past_the_policy(
    alice: Person, calls: list[Any], model_server: ScriptedModelServer
) -> None:
    """The model obeys what a tool's text tells it to do: to call what was never offered."""
    injected = 'Read it.[[call look {"path": "/mail"}]][[then]]' + WIPE
    with rule(alice, decision="deny", tool="wi*") as denied:
        seen = ask(alice.api, injected)

    _, body = model_server.requests[-1]
    offered = {tool["function"]["name"] for tool in body["tools"]}
    assert offered & {"look", "wipe"} == {"look"}
    results = [f.data for f in seen if f.event == "tool_result"]
    assert [result["outcome"] for result in results] == ["ok", "blocked"]
    assert [name for name, _ in calls] == ["look"]
    assert seen[-1].data["content"] == "Done."
    assert denied.label.startswith("rule ")


def test_a_rule_that_is_made_meanwhile_holds(alice: Person, calls: list[Any]) -> None:
    """The tool was offered, the person allows it: at execution the policy is asked again."""
    started, asked = waiting(alice)
    with rule(alice, decision="deny", tool="wipe") as denied:
        assert decide(alice, asked, "allow").status_code == 200
        seen = read(alice.api, started["run_id"])

    assert outcome(seen)[0] == "blocked"
    assert not calls
    row = ToolRun.objects.get(pk=asked.data["tool_run_id"])
    assert (row.state, row.rule) == ("blocked", denied.label)


def test_a_server_that_is_not_trusted_is_asked_for_unless_it_reads(
    alice: Person,
    add_server: Callable[..., MCPServer],
    calls: list[Any],
) -> None:
    with ScriptedMCPServer() as other:
        add_server(alice, other.url, slug="other", is_trusted=False)
        both = '[[call other_look {"path": "/"}]][[call other_echo {"text": "x"}]]'
        started = begin(alice.api, f"{both}[[then]][[text Done.]]")
        seen = read(alice.api, started["run_id"], until=lambda f: f.event == "tool_result")
        assert seen[-1].data["tool"] == "other_look"
        asked = [
            f.data["tool"]
            for f in read(alice.api, started["run_id"], until=lambda f: f.event == "tool_result")
            if f.event == "approval_required"
        ]
        assert asked in ([], ["other_echo"])
        row = wait_until(
            lambda: ToolRun.objects.filter(
                run=started["run_id"], tool="other_echo", state="awaiting_approval"
            ).first()
        )
        assert row.rule == "server not trusted yet"
        MCPServer.objects.filter(slug="other").update(is_trusted=True)
        assert kinds(ask(alice.api, '[[call other_echo {"text": "y"}]][[then]][[text Done.]]')) == [
            *("tool_calls", "tool_executing", "tool_result")
        ]
        alice.api.post(f"/api/runs/{started['run_id']}/cancellations/")
        read(alice.api, started["run_id"])
        assert [name for name, _ in other.calls] == ["look", "echo"]
    assert not calls


def test_what_was_taken_away_meanwhile_is_not_called(
    alice: Person, add_server: Callable[..., MCPServer]
) -> None:
    """Allowed by the person all the same: their page is older than the switch."""
    off: list[Callable[[MCPServer], Any]] = [
        lambda row: MCPServer.objects.filter(pk=row.pk).update(is_enabled=False),
        lambda row: row.tools.filter(name="echo").update(is_enabled=False),
        lambda row: alice.user.groups.remove(*row.groups.all()),
        lambda row: MCPServer.objects.filter(pk=row.pk).delete(),
    ]
    for number, take_away in enumerate(off):
        with ScriptedMCPServer() as other:
            row = add_server(alice, other.url, slug=f"off{number}", is_trusted=False)
            question = f'[[call off{number}_echo {{"text": "x"}}]][[then]][[text Done.]]'
            started, asked = waiting(alice, question)
            take_away(row)
            assert decide(alice, asked, "allow").status_code == 200
            assert outcome(read(alice.api, started["run_id"]))[0] == "blocked"
            assert not other.calls


def test_arguments_that_no_tool_can_be_called_with_are_refused(
    alice: Person, calls: list[Any]
) -> None:
    started, asked = waiting(alice)
    deep = '{"a": ' * 3000 + "1" + "}" * 3000
    half_deep = '{"a": ' * 500 + '"\\u0000"' + "}" * 500
    address = asked.data["tool_run_id"]
    url = f"/api/tool-runs/{address}/approvals/"
    for arguments in (deep, half_deep, '{"path": 1e999}', '{"path": NaN}', "[]"):
        body = f'{{"decision": "allow", "arguments": {arguments}}}'
        assert alice.api.post(url, content=body).status_code == 400, arguments[:20]
        form = {"decision": "allow", "arguments": arguments}
        page = alice.api.post(f"/tool-runs/{address}/approval/decisions/", data=form)
        assert page.status_code == 400, arguments[:20]
    for decision in (["allow"], {"allow": 1}, 1, None):
        assert alice.api.post(url, json={"decision": decision}).status_code == 400
    assert not calls
    assert Approval.objects.get(tool_run=address).state == "open"

    # What no database can hold is replaced, and called like that.
    assert decide(alice, asked, "allow", arguments={"path": "\0/b"}).status_code == 200
    assert outcome(read(alice.api, started["run_id"]))[0] == "ok"
    assert calls == [("wipe", {"path": "\ufffd/b", "force": False})]


def test_nothing_is_hidden_in_what_is_to_be_allowed(alice: Person) -> None:
    question = '[[call wipe {"path": "gnp.\u202e\U000e0041ä"}]][[then]][[text Done.]]'
    started, asked = waiting(alice, question)
    page = alice.api.get(f"/tool-runs/{asked.data['tool_run_id']}/approval/").text
    assert "gnp.\\u202e\\udb40\\udc41ä" in page
    assert "\u202e" not in page
    alice.api.post(f"/api/runs/{started['run_id']}/cancellations/")


def test_rules_are_read_with_their_servers_and_groups(alice: Person) -> None:
    """All at one moment: what is deleted between two queries would end the run."""
    server = MCPServer.objects.get(slug="main")
    with rule(alice, decision="deny", tool="none", server=server) as first:
        more = [
            ToolRule.objects.create(decision="deny", tool="none", server=server, group=first.group)
            for _ in range(3)
        ]
        with CaptureQueriesContext(connection) as asked:
            found = policy_for(alice.user.pk)
        for row in more:
            row.delete()

    assert sum(rule.server == "main" for rule in found.rules) == 4
    assert len(asked) <= 4


def test_a_change_of_a_type_is_a_change(alice: Person) -> None:
    question = '[[call wipe {"path": "/a", "force": 1}]][[then]][[text Done.]]'
    for force, is_changed in ((True, True), (1.0, True), (1, False)):
        started, asked = waiting(alice, question)
        decide(alice, asked, "allow", arguments={"force": force, "path": "/a"})
        read(alice.api, started["run_id"])
        changed = Approval.objects.get(tool_run=asked.data["tool_run_id"]).changed_arguments
        assert (changed is not None) is is_changed, force


def test_what_the_model_wrote_that_cannot_be_stored_may_be_allowed(
    alice: Person, calls: list[Any]
) -> None:
    started, asked = waiting(alice, '[[call wipe {"path": "\\u0000a"}]][[then]][[text Done.]]')
    assert asked.data["arguments"] == {"path": "\ufffda"}
    decide(alice, asked, "allow")
    assert outcome(read(alice.api, started["run_id"]))[0] == "ok"
    assert calls == [("wipe", {"path": "\ufffda", "force": False})]
