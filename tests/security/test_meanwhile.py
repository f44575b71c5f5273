"""What changes while something else is done: a password is hashed, a file is written."""

import secrets
from typing import Any

import pytest
from allauth.account.forms import SignupForm
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth import get_user_model
from django.db import connection
from django.http import HttpRequest, QueryDict
from django.test import RequestFactory

from chat.accounts.adapter import AccountAdapter
from chat.accounts.passwords import store_password
from chat.admin.exports import streamed
from chat.ledger.export import Export
from chat.ledger.filters import read as read_filters
from chat.models import AccountClosing, Invitation, ToolRunExport
from chat.runs.readers import Reader, check
from chat.runs.upkeep.accounts import erase_account
from tests.people import PASSWORD, Person
from tests.sse import ask

NEW_PASSWORD = "a ferry crosses at noon"
People = get_user_model()


def test_a_new_password_gives_nothing_back(bob: Person) -> None:
    hashing = People.objects.get(pk=bob.user.pk)
    People.objects.filter(pk=bob.user.pk).update(is_active=False, first_name="Robert")

    AccountAdapter().set_password(hashing, NEW_PASSWORD)

    bob.user.refresh_from_db()
    assert (bob.user.is_active, bob.user.first_name) == (False, "Robert")


def test_a_new_password_is_all_that_is_stored(bob: Person) -> None:
    hashing = People.objects.get(pk=bob.user.pk)
    People.objects.filter(pk=bob.user.pk).update(first_name="Robert")

    hashing.set_password(NEW_PASSWORD)
    assert store_password(hashing)

    bob.user.refresh_from_db()
    assert bob.user.check_password(NEW_PASSWORD)
    assert bob.user.first_name == "Robert"


def test_a_new_password_brings_nobody_back(database: None) -> None:
    person = People.objects.create_user(f"dora-{secrets.token_hex(4)}", password=PASSWORD)
    People.objects.filter(pk=person.pk).delete()

    AccountAdapter().set_password(person, NEW_PASSWORD)

    assert not People.objects.filter(pk=person.pk).exists()


class SigningUp:
    """A form that was checked, and is about to become an account."""

    def __init__(self, query: str = "") -> None:
        self.request: HttpRequest = RequestFactory().post(f"/accounts/signup/{query}")
        self.name = f"eve-{secrets.token_hex(4)}"
        values = {"username": self.name, "email": "", "password1": PASSWORD, "password2": PASSWORD}
        self.form = SignupForm(values)
        with context.request_context(self.request):
            assert self.form.is_valid(), self.form.errors

    def store(self) -> Any:
        with context.request_context(self.request):
            adapter = AccountAdapter(self.request)
            return adapter.save_user(self.request, adapter.new_user(self.request), self.form)


@pytest.mark.parametrize("how", ["used", "taken back"])
def test_an_invitation_that_is_gone_by_then_makes_no_account(alice: Person, how: str) -> None:
    invitation = Invitation.objects.create()
    signing_up = SigningUp(f"?invitation={invitation.text}")
    if how == "used":
        assert invitation.take(alice.user)
    else:
        invitation.delete()

    with pytest.raises(ImmediateHttpResponse):
        signing_up.store()

    assert not People.objects.filter(username=signing_up.name).exists()


def test_a_form_that_is_sent_twice_leads_to_the_sign_in_page(database: None) -> None:
    signing_up = SigningUp(f"?invitation={Invitation.objects.create().text}")
    People.objects.create_user(signing_up.name)

    with pytest.raises(ImmediateHttpResponse) as led:
        signing_up.store()

    assert led.value.response["Location"] == "/accounts/login/"


def test_nothing_is_locked_while_a_password_is_hashed(
    database: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    invitation = Invitation.objects.create()
    signing_up = SigningUp(f"?invitation={invitation.text}")
    seen = []
    hashes = People.set_password

    def hashed(person: Any, password: str) -> None:
        seen.append(connection.in_atomic_block)
        hashes(person, password)

    monkeypatch.setattr(People, "set_password", hashed)

    assert signing_up.store().pk
    assert seen == [False]
    invitation.refresh_from_db()
    assert invitation.used_by.username == signing_up.name


def test_an_account_that_is_gone_is_closed(database: None) -> None:
    person = People.objects.create_user(f"dora-{secrets.token_hex(4)}")
    People.objects.filter(pk=person.pk).delete()

    assert AccountClosing.close(person)


def test_an_export_ends_for_who_may_not_have_it_any_more(alice: Person, carol: Person) -> None:
    ask(alice.api, '[[call echo {"text": "x"}]][[then]][[text ok]]')
    filters = read_filters(QueryDict(""))
    assert filters.is_valid()

    reader = Reader(person_id=carol.user.pk, session_key=carol.session_cookie)
    texts = streamed(Export(carol.user, "csv", filters), reader)

    async def read_on() -> list[str]:
        await anext(texts)
        carol.user.is_active = False
        await sync_to_async(carol.user.save)()
        await check([reader])
        return [text async for text in texts]

    assert async_to_sync(read_on)() == []
    made = ToolRunExport.objects.filter(made_by=carol.username).latest("created_at")
    assert made.finished_at is None


def test_an_export_is_on_record_though_somebody_in_it_has_left(
    alice: Person, bob: Person, carol: Person
) -> None:
    for person in (alice, bob):
        ask(person.api, '[[call echo {"text": "x"}]][[then]][[text ok]]')
    filters = read_filters(QueryDict(""))
    assert filters.is_valid()
    making = Export(carol.user, "csv", filters)
    assert bob.username in "".join(making.texts())
    assert async_to_sync(erase_account)(bob.user.pk)

    making.end(is_whole=True)

    assert alice.user.staff_accesses.filter(what="export").exists()
