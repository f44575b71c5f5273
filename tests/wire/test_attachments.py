"""Files of tools and results that are too long: kept, referred to, served to their owner."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.contrib.auth.models import Permission
from django.urls import resolve

from chat.models import Attachment, Conversation, ToolRun
from chat.tools import MAX_RESULT_BYTES
from chat.transcript import MAX_TOOL_BYTES
from tests.people import Person
from tests.servers.media import png, wav
from tests.servers.model_server import ScriptedModelServer
from tests.servers.site import Site
from tests.sse import Frame, ask, begin, read

Json = dict[str, Any]


def result_of(seen: list[Frame]) -> Json:
    return next(frame for frame in seen if frame.event == "tool_result").data


def result(person: Person, call: str) -> Json:
    return result_of(ask(person.api, f"[[call {call}]][[then]][[text Done.]]"))


def give(*content: Json, **more: Any) -> str:
    """Ask for exactly this result, in the spelling of the protocol."""
    return f"give {json.dumps({'result': {'content': content, **more}})}"


def row_of(reference: Json) -> Attachment:
    return Attachment.objects.get(pk=resolve(reference["url"]).kwargs["pk"])


def test_an_image_comes_as_an_attachment_that_its_owner_can_load(alice: Person) -> None:
    ended = result(alice, 'picture {"width": 30, "height": 20}')

    (reference,) = ended["attachments"]
    picture = png(30, 20)
    assert ended["result"] == f"[image image/png, {len(picture)} bytes]"
    assert (reference["mime_type"], reference["bytes"]) == ("image/png", len(picture))
    for client in (alice.http, alice.api):
        response = client.get(reference["url"])
        assert (response.status_code, response.content) == (200, picture)


def test_what_is_served_is_never_run_and_cached_by_its_reader_alone(alice: Person) -> None:
    shown = result(alice, "picture")["attachments"][0]
    page = {"uri": "file:///page.html", "mimeType": "text/html", "blob": "PHNjcmlwdD4="}
    other = result(alice, give({"type": "resource", "resource": page}))["attachments"][0]

    for url, kind, disposition in (
        (shown["url"], "image/png", 'inline; filename="image-1.png"'),
        (other["url"], "application/octet-stream", 'attachment; filename="page.html"'),
    ):
        headers = alice.http.get(url).headers
        assert headers["content-type"] == kind
        assert headers["content-disposition"] == disposition
        assert headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "private, max-age=31536000, immutable"


def test_head_tells_the_size_and_sends_nothing(alice: Person) -> None:
    reference = result(alice, "sound")["attachments"][0]

    response = alice.http.head(reference["url"])

    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-length"] == str(len(wav()))
    assert response.headers["content-type"] == "audio/wav"


def test_a_result_up_to_the_bound_is_stored_whole(alice: Person) -> None:
    ended = result(alice, f'big {{"size": {MAX_RESULT_BYTES}}}')

    assert ended["result"] == "x" * MAX_RESULT_BYTES
    assert ended["bytes"] == MAX_RESULT_BYTES
    assert "attachments" not in ended


def test_a_longer_result_is_cut_honestly_and_attached_whole(alice: Person) -> None:
    size = 3_456_789

    ended = result(alice, f'big {{"size": {size}}}')

    kept, _, remark = ended["result"].partition("\n\n")
    left_out = size - len(kept)
    assert remark == f"[… {left_out:,} bytes left out; the whole result is attached]"
    assert len(ended["result"].encode()) <= MAX_RESULT_BYTES
    assert ended["bytes"] == size
    (reference,) = ended["attachments"]
    assert reference["mime_type"] == "text/plain"
    assert alice.http.get(reference["url"]).content == b"x" * size
    tool_run = ToolRun.objects.get(call_id=ended["id"])
    assert (tool_run.result_bytes, tool_run.result) == (size, ended["result"])


@pytest.mark.parametrize("piece", ["x", "ü", "語", "a🎉"])
def test_the_model_reads_64_kib_and_the_same_in_later_turns(
    alice: Person, model_server: ScriptedModelServer, piece: str
) -> None:
    text = piece * 70_000
    asked = f"big {json.dumps({'size': 70_000, 'piece': piece})}"
    first = begin(alice.api, f"[[call {asked}]][[then]][[text Done.]]")
    ended = result_of(read(alice.api, first["run_id"]))
    before = len(model_server.requests)

    ask(alice.api, "[[text And?]]", conversation_id=first["conversation_id"])

    call_id = ended["id"]
    told = [
        message["content"]
        for _, body in model_server.requests
        for message in body["messages"]
        if message.get("tool_call_id") == call_id
    ]
    assert len(model_server.requests) == before + 1
    assert len(told) == 2
    assert told[0] == told[1]
    kept, _, remark = told[0].partition("\n\n")
    assert text.startswith(kept)
    assert MAX_TOOL_BYTES - 200 < len(told[0].encode()) <= MAX_TOOL_BYTES
    assert remark == f"[… {len(text.encode()) - len(kept.encode()):,} bytes left out]"
    assert ended["result"] == text


def test_what_the_model_misses_of_an_attached_result_is_counted_from_the_whole(
    alice: Person, model_server: ScriptedModelServer
) -> None:
    ended = result(alice, 'big {"size": 2000000}')

    last = model_server.requests[-1][1]["messages"][-1]
    assert last["tool_call_id"] == ended["id"]
    kept, _, remark = last["content"].partition("\n\n")
    assert remark == f"[… {2_000_000 - len(kept):,} bytes left out]"


def test_a_failing_tool_may_give_a_picture_too(alice: Person) -> None:
    picture = {"type": "image", "mimeType": "image/gif", "data": "R0lGODlhAQABAAAAACw="}

    ended = result(alice, give({"type": "text", "text": "see"}, picture, isError=True))

    assert (ended["outcome"], ended["is_error"]) == ("tool_error", True)
    assert ended["result"] == "see\n\n[image image/gif, 14 bytes]"
    assert [each["mime_type"] for each in ended["attachments"]] == ["image/gif"]


def test_structured_content_that_says_more_than_the_text_is_attached(alice: Person) -> None:
    said = {"type": "text", "text": "Mild"}

    ended = result(alice, give(said, structuredContent={"celsius": 12}))

    (reference,) = ended["attachments"]
    assert ended["result"] == "Mild"
    assert (reference["name"], reference["mime_type"]) == ("data.json", "application/json")
    assert alice.http.get(reference["url"]).json() == {"celsius": 12}


def test_a_file_that_cannot_be_kept_is_told_of_and_the_run_goes_on(
    new_site: Any, alice: Person, tmp_path: Path
) -> None:
    blocked = tmp_path / "media"
    blocked.write_text("a file where the folder should be")
    site: Site = new_site(MEDIA_DIR=str(blocked))

    with httpx.Client(base_url=site.url, headers=alice.headers, timeout=30) as client:
        drawn = ask(client, "[[call picture]][[then]][[text Done.]]")
        long = ask(client, '[[call big {"size": 2000000}]][[then]][[text Done.]]')

    assert result_of(drawn)["result"].endswith("\n\n[image-1.png could not be kept]")
    assert "attachments" not in result_of(drawn)
    assert result_of(long)["result"].endswith(" bytes left out]\n\n[result.txt could not be kept]")
    assert [seen[-1].event for seen in (drawn, long)] == ["done", "done"]


def test_deleting_a_conversation_deletes_its_files(alice: Person) -> None:
    seen = ask(alice.api, "[[call picture]][[call sound]][[then]][[text Done.]]")
    references = [frame.data["attachments"][0] for frame in seen if frame.event == "tool_result"]
    paths = [Path(settings.MEDIA_ROOT, row_of(each).file.name) for each in references]
    assert [path.exists() for path in paths] == [True, True]

    Conversation.objects.get(runs=row_of(references[0]).run).delete()

    assert [path.exists() for path in paths] == [False, False]
    assert alice.http.get(references[0]["url"]).status_code == 404


def test_a_row_whose_file_is_gone_is_404(alice: Person) -> None:
    reference = result(alice, "picture")["attachments"][0]
    Path(settings.MEDIA_ROOT, row_of(reference).file.name).unlink()

    assert alice.http.get(reference["url"]).status_code == 404


def test_files_are_for_the_server_s_own_account_only(alice: Person) -> None:
    path = Path(settings.MEDIA_ROOT, row_of(result(alice, "picture")["attachments"][0]).file.name)

    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_staff_may_read_it_with_the_permission_for_the_log_which_tells_of_it(
    alice: Person, carol: Person, bob: Person
) -> None:
    ended = result(alice, "picture")
    url = ended["attachments"][0]["url"]
    # Staff without the permission for the log are anybody.
    type(bob.user).objects.filter(pk=bob.user.pk).update(is_staff=True)
    assert bob.http.get(url).status_code == 404

    assert carol.http.get(url).status_code == 200
    bob.user.user_permissions.add(Permission.objects.get(codename="view_toolrun"))
    assert bob.http.get(url).status_code == 200

    notes = alice.user.staff_accesses.filter(what="file").order_by("pk")
    assert [(note.reader, note.about) for note in notes] == [
        (carol.user, "image-1.png"),
        (bob.user, "image-1.png"),
    ]
