"""What is kept of a person: they can have all of it, and have all of it erased."""

import io
import json
import re
from pathlib import Path
from zipfile import ZipFile

import httpx
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth import get_user_model

from chat.models import (
    Attachment,
    Conversation,
    Invitation,
    LedgerEntry,
    RunEvent,
    StaffAccess,
    ToolRun,
)
from tests.people import PASSWORD, Person
from tests.runs.test_ledger import said_of
from tests.sse import ask, begin, read, wait_until

SCRIPT = '[[call echo {"text": "hers"}]][[call picture]][[then]][[text A secret of hers]]'


def post(person: Person, path: str, page: str = "/account/", **fields: str) -> httpx.Response:
    found = re.search(r'csrfmiddlewaretoken" value="(\w+)"', person.http.get(page).text)
    form = {"csrfmiddlewaretoken": found[1] if found else "", **fields}
    return person.http.post(path, data=form, headers={"Referer": person.site.url})


def test_a_person_downloads_all_that_is_theirs(alice: Person, carol: Person, bob: Person) -> None:
    ask(alice.api, SCRIPT)
    ask(bob.api, "[[text A secret of Bob]]")
    SocialAccount.objects.create(user=alice.user, provider="oidc", uid="hers", extra_data={"a": 1})
    tool_run = ToolRun.objects.filter(run__owner=alice.user, tool="echo").get()
    carol.http.get(f"/admin/chat/toolrun/{tool_run.pk}/change/")

    answer = alice.http.get("/account/data/")

    assert answer.headers["content-type"] == "application/zip"
    with ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        files = {name: archive.read(name) for name in archive.namelist()}
    (chat,) = [json.loads(data) for name, data in files.items() if name.startswith("chats/")]
    assert chat["messages"][-1]["content"] == "A secret of hers"
    assert chat["messages"][-1]["steps"][0]["tool_runs"][0]["result"] == "hers"
    account = json.loads(files["account.json"])
    assert (account["username"], len(account["sessions"])) == (alice.username, 1)
    (tie,) = account["single_sign_on"]
    assert (tie["provider"], tie["uid"], tie["extra_data"]) == ("oidc", "hers", {"a": 1})
    assert [look["reader_name"] for look in json.loads(files["who-looked.json"])] == [
        carol.username
    ]
    assert {call["tool"] for call in json.loads(files["tool-calls.json"])} == {"echo", "picture"}
    picture = Attachment.objects.get(run__owner=alice.user)
    assert files[f"files/{picture.pk}-image-1.png"] == Path(picture.file.path).read_bytes()
    everything = b"".join(files.values())
    for secret in (alice.token, alice.session_cookie, alice.user.password, "A secret of Bob"):
        assert secret.encode() not in everything
    # Not for programs: a stolen token gets no more than it can read.
    assert alice.api.get("/account/data/").status_code == 404


def test_a_person_deletes_their_account_and_nothing_of_it_stays(alice: Person, bob: Person) -> None:
    ask(alice.api, SCRIPT)
    emails = (alice.user.email, "hers@example.test")
    sent, used = (Invitation.objects.create(email=email) for email in emails)
    assert used.take(alice.user)
    tool_run = ToolRun.objects.filter(run__owner=alice.user, tool="echo").get()
    path = Path(Attachment.objects.get(run__owner=alice.user).file.path)
    assert path.exists()
    running = begin(alice.api, "[[text Well]][[stall]]")
    read(alice.api, running["run_id"], until=lambda frame: frame.event == "content")

    refused = post(alice, "/account/deletions/", password="guessed")
    assert (refused.status_code, "not your password" in refused.text) == (400, True)
    gone = post(alice, "/account/deletions/", password=PASSWORD)

    assert gone.headers["location"] == "/accounts/login/"
    here = get_user_model().objects.filter(pk=alice.user.pk)
    wait_until(lambda: not here.exists(), what="the account is erased")
    assert not Conversation.objects.filter(owner=alice.user.pk).exists()
    assert not RunEvent.objects.filter(run=running["run_id"]).exists()
    assert not path.exists()
    assert alice.http.get("/account/").status_code == 302
    assert alice.api.get("/api/conversations/").status_code == 401
    entry = LedgerEntry.objects.get(tool_run=tool_run.pk)
    assert (entry.removed, entry.why, entry.decided_by) == ("all", "account", None)
    assert said_of(tool_run.pk) == []
    invitations = Invitation.objects.filter(pk__in=[sent.pk, used.pk])
    assert list(invitations.values_list("email", flat=True)) == ["", ""]


def test_an_admin_deletes_an_account_but_not_the_last_admins(
    alice: Person, carol: Person, bob: Person
) -> None:
    ask(alice.api, SCRIPT)
    tool_run = ToolRun.objects.filter(run__owner=alice.user, tool="echo").get()
    wait_until(
        LedgerEntry.objects.filter(tool_run=tool_run.pk).exists, what="the server has sealed it"
    )
    StaffAccess.note(alice.user, bob.user.pk, StaffAccess.What.RUN, "x", "1")

    page = f"/admin/auth/user/{alice.user.pk}/delete/"
    assert alice.username in carol.http.get(page).text
    assert post(carol, page, page, post="yes").status_code == 302

    alice.user.refresh_from_db()
    assert not alice.user.is_active
    assert alice.api.get("/api/conversations/").status_code == 401
    others = get_user_model().objects.filter(is_superuser=True, is_active=True)
    keys = list(others.exclude(pk=carol.user.pk).values_list("pk", flat=True))
    try:
        others.filter(pk__in=keys).update(is_active=False)
        page = f"/admin/auth/user/{carol.user.pk}/delete/"
        assert carol.http.get(page).status_code == 403
        alone = post(carol, "/account/deletions/", password=PASSWORD)
        assert (alone.status_code, "last admin" in alone.text) == (400, True)
    finally:
        get_user_model().objects.filter(pk__in=keys).update(is_active=True)
