"""The admin: the tool log has every call; logs are read-only; secrets are not shown."""

import re

import httpx
import pytest

from chat.models import ApiToken, Attachment, MCPServer, StaffAccess, ToolRun
from tests.people import Person
from tests.sse import ask, wait_until

LIST = "/admin/chat/toolrun/"


def asked(alice: Person, text: str = "hello") -> ToolRun:
    ask(alice.api, f'[[call echo {{"text": "{text}"}}]][[then]][[text ok]]')
    return ToolRun.objects.get(run__owner=alice.user)


def post(person: Person, path: str, **fields: object) -> httpx.Response:
    """Fill in and send the form of an admin page."""
    token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', person.http.get(path).text)
    form = {"csrfmiddlewaretoken": token[1] if token else "", **fields}
    return person.http.post(path, data=form, headers={"Referer": person.site.url})


def test_the_tool_log_shows_the_call(alice: Person, carol: Person) -> None:
    tool_run = asked(alice)

    page = carol.http.get(LIST, params={"q": tool_run.call_id}).text

    assert tool_run.tool in page
    assert alice.username in page
    assert "&quot;text&quot;: &quot;hello&quot;" in page
    assert '<span class="state good">Ok</span>' in page


def test_a_tool_run_links_to_what_its_tool_gave_back(alice: Person, carol: Person) -> None:
    ask(alice.api, "[[call picture]][[then]][[text ok]]")
    attachment = Attachment.objects.get(run__owner=alice.user)
    tool_run = ToolRun.objects.get(run__owner=alice.user)

    page = carol.http.get(f"{LIST}{tool_run.pk}/change/").text

    assert f'<a href="{attachment.get_absolute_url()}">image-1.png</a> image/png' in page


def test_filters_and_search_leave_only_what_fits(alice: Person, carol: Person) -> None:
    tool_run = asked(alice)
    link = f"{LIST}{tool_run.pk}/change/"

    for fits in (
        {"outcome": "ok"},
        {"tool": "echo"},
        {"server": str(tool_run.server and tool_run.server.slug)},
        {"person": alice.username, "since": "1d", "until": "2100-01-01"},
        {"conversation": f"{alice.site.url}{tool_run.run.conversation.get_absolute_url()}"},
        {"approval": "none"},
    ):
        assert link in carol.http.get(LIST, params=fits | {"q": tool_run.call_id}).text
    for misses in (
        *({"outcome": "timeout"}, {"over_ms": "10000"}, {"tool": "add"}, {"person": "nobody"}),
        *({"since": "2100-01-01"}, {"until": "2000-01-01"}, {"approval": "denied"}),
        *({"person": carol.username}, {"since": "long ago"}, {"conversation": str(tool_run.pk)}),
    ):
        assert link not in carol.http.get(LIST, params=misses | {"q": tool_run.call_id}).text


def test_the_newest_call_is_on_top(alice: Person, carol: Person) -> None:
    first = asked(alice, "first")
    for number in range(2):
        ask(alice.api, f'[[call echo {{"text": "{number}"}}]][[then]][[text ok]]')
    second = ToolRun.objects.filter(run__owner=alice.user).latest("created_at")

    page = carol.http.get(LIST).text

    assert page.index(str(second.pk)) < page.index(str(first.pk))


def test_arguments_that_are_no_json_are_shown_word_for_word(alice: Person, carol: Person) -> None:
    ask(alice.api, "[[raw-arguments echo {broken]][[then]][[text ok]]")
    tool_run = ToolRun.objects.get(run__owner=alice.user)

    page = carol.http.get(f"{LIST}{tool_run.pk}/change/").text
    file = carol.http.get(f"{LIST}{tool_run.pk}/download/arguments/").text

    assert "{broken" in page
    assert file == "{broken"


def test_the_detail_shows_all_and_notes_who_looked(alice: Person, carol: Person) -> None:
    tool_run = asked(alice, "<script>alert(1)</script>")

    page = carol.http.get(f"{LIST}{tool_run.pk}/change/").text
    file = carol.http.get(f"{LIST}{tool_run.pk}/download/result/")

    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert file.text == "<script>alert(1)</script>"
    assert file.headers["content-disposition"].startswith("attachment")
    notes = alice.user.staff_accesses.filter(reader=carol.user, object_id=str(tool_run.pk))
    assert [note.what for note in notes] == ["result", "tool_run"]
    assert alice.http.get(f"{LIST}{tool_run.pk}/download/result/").status_code == 302


def test_logs_are_read_only(alice: Person, carol: Person) -> None:
    tool_run = asked(alice)
    token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', carol.http.get(LIST).text)
    form = {"csrfmiddlewaretoken": token[1] if token else "", "tool": "forged", "post": "yes"}
    pages = {
        "toolrun": tool_run.pk,
        "agentrun": tool_run.run_id,
        "conversation": tool_run.run.conversation_id,
    }
    StaffAccess.note(carol.user, alice.user.pk, StaffAccess.What.RUN, "", tool_run.run_id)
    pages["staffaccess"] = alice.user.staff_accesses.latest("pk").pk
    for model, pk in pages.items():
        assert carol.http.get(f"/admin/chat/{model}/{pk}/change/").status_code == 200
        for verb in (f"{pk}/change/", f"{pk}/delete/", "add/"):
            headers = {"Referer": carol.site.url}
            answer = carol.http.post(f"/admin/chat/{model}/{verb}", data=form, headers=headers)
            assert answer.status_code == 403, (model, verb)
    assert ToolRun.objects.get(pk=tool_run.pk).tool == "echo"
    # And who opened them is on record, for Alice to see.
    opened = alice.user.staff_accesses.filter(reader=carol.user).exclude(about="")
    assert [note.what for note in opened] == ["conversation", "run", "tool_run"]
    assert carol.username in alice.http.get("/account/").text


def test_a_run_shows_its_events(alice: Person, carol: Person) -> None:
    tool_run = asked(alice)

    page = carol.http.get(f"/admin/chat/agentrun/{tool_run.run_id}/change/").text

    assert all(f"<td>{kind}</td>" in page for kind in ("tool_calls", "tool_result", "done"))


def test_a_token_is_shown_once_and_its_hash_never(alice: Person, carol: Person) -> None:
    answer = post(carol, "/admin/chat/apitoken/add/", owner=alice.user.pk, name="script")
    made = carol.http.get(answer.headers["location"]).text
    again = carol.http.get("/admin/chat/apitoken/").text

    text = re.search(r"fl_[\w-]{20,}", made)
    assert text
    assert ApiToken.owner_of(text[0]) == alice.user
    assert text[0] not in again
    row = ApiToken.objects.get(owner=alice.user, name="script")
    assert row.token_hash not in made + again


def test_a_server_that_is_switched_off_is_not_used(alice: Person, carol: Person) -> None:
    server = MCPServer.objects.get(source=MCPServer.Source.ENVIRONMENT)
    asked(alice)
    # Its state is noted beside the answer.
    ready = MCPServer.objects.filter(pk=server.pk, state="ready")
    wait_until(ready.exists, what="it is seen to be ready")
    assert server.tools.filter(name="echo").exists()
    try:
        MCPServer.objects.filter(pk=server.pk).update(is_enabled=False)
        seen = ask(alice.api, '[[call echo {"text": "x"}]][[then]][[text ok]]')
    finally:
        MCPServer.objects.filter(pk=server.pk).update(is_enabled=True)

    results = [frame.data for frame in seen if frame.event == "tool_result"]
    assert [result["outcome"] for result in results] == ["blocked"]
    assert carol.http.get(f"/admin/chat/mcpserver/{server.pk}/change/").status_code == 200


@pytest.mark.parametrize(
    "address",
    [
        "ftp://tools.example/mcp",
        "file:///etc/passwd",
        "http://",
        "tools",
        "http://a b/",
        "http://h:x/",
    ],
)
def test_only_web_addresses_are_servers(carol: Person, address: str) -> None:
    answer = post(carol, "/admin/chat/mcpserver/add/", name="Odd", slug="odd", address=address)

    assert answer.status_code == 200
    assert "Enter the whole address with http:// or https://" in answer.text
    assert not MCPServer.objects.filter(slug="odd").exists()


def test_a_server_may_be_added_by_its_name_in_a_network(carol: Person) -> None:
    path = "/admin/chat/mcpserver/add/"
    fields = {"name": "Inner", "slug": "inner", "authorisation": "none"}
    answer = post(carol, path, **fields, address="http://tools:8000/mcp")

    server = MCPServer.objects.get(slug="inner")
    assert answer.status_code == 302
    assert (server.url, server.source) == ("http://tools:8000/mcp", MCPServer.Source.ADMIN)
    server.delete()
