"""Readers that must not read any more."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from uuid import uuid4

import aiohttp
import pytest
from django.utils import timezone

from chat.models import AgentRun, ApiToken, Conversation, Session
from chat.runs.readers import CHECK_SECONDS, Reader, unwelcome
from tests.people import Person
from tests.servers.site import Site
from tests.sse import ask, begin

REFUSED_SECONDS = 30


def lost(person: Person, other: Person, run: AgentRun) -> dict[str, Reader]:
    """Readers who must be turned away, by what is wrong with them."""
    session = person.session_cookie
    token = ApiToken.hash_of(person.token)
    expired = Session.objects.get(session_key=other.session_cookie)
    expired.expire_date = timezone.now() - timedelta(seconds=1)
    expired.save()
    ids = {"person_id": person.user.pk, "run_id": run.pk}
    return {
        "no proof": Reader(**ids),
        "unknown session": Reader(**ids, session_key="unknown"),
        "unknown token": Reader(**ids, token_hash="unknown"),
        "somebody else's session": Reader(person_id=other.user.pk, session_key=session),
        "somebody else's token": Reader(person_id=other.user.pk, token_hash=token),
        "expired session": Reader(person_id=other.user.pk, session_key=other.session_cookie),
        "somebody else's run": Reader(
            person_id=other.user.pk, run_id=run.pk, token_hash=ApiToken.hash_of(other.token)
        ),
        "no such run": Reader(person_id=person.user.pk, run_id=uuid4(), session_key=session),
    }


def test_only_those_who_may_are_welcome(alice: Person, bob: Person) -> None:
    ask(alice.api, "[[text Hi]]")
    run = AgentRun.objects.get(owner=alice.user)
    ids = {"person_id": alice.user.pk, "run_id": run.pk}
    welcome = [
        Reader(**ids, session_key=alice.session_cookie),
        Reader(**ids, token_hash=ApiToken.hash_of(alice.token)),
        Reader(person_id=alice.user.pk, session_key=alice.session_cookie),
    ]
    turned_away = lost(alice, bob, run)

    assert unwelcome([*welcome, *turned_away.values()]) == list(turned_away.values())


class Open:
    """Streams that are read until they end; `ended` has those that did, and when."""

    def __init__(self, http: aiohttp.ClientSession, site: Site) -> None:
        self._http = http
        self._site = site
        self.ended: dict[str, float] = {}
        self.reading: dict[str, asyncio.Task[None]] = {}

    async def read(self, name: str, person: Person, run_id: str, *, by_token: bool = False) -> None:
        """Returns when the first event has come."""
        cookie = {"Cookie": f"sessionid={person.session_cookie}"}
        headers = person.headers if by_token else cookie
        url = f"{self._site.url}/api/runs/{run_id}/events/"
        response = await self._http.get(url, headers=headers)
        assert response.status == 200
        assert await response.content.readline() == b"id: 1\n"
        self.reading[name] = asyncio.create_task(self._read(name, response))

    async def listen(self, name: str, person: Person) -> None:
        headers = {"Origin": self._site.url, "Cookie": f"sessionid={person.session_cookie}"}
        url = self._site.url.replace("http", "ws") + "/ws/"
        # The server may hang up as soon as it has said why: its word counts, not our answer to it.
        opened = await self._http.ws_connect(url, headers=headers, autoclose=False)
        self.reading[name] = asyncio.create_task(self._listen(name, opened))

    async def _read(self, name: str, response: aiohttp.ClientResponse) -> None:
        rest = await response.content.read()
        assert b"event: done" not in rest
        self.ended[name] = time.monotonic()

    async def _listen(self, name: str, opened: aiohttp.ClientWebSocketResponse) -> None:
        while (said := await opened.receive()).type is aiohttp.WSMsgType.TEXT:
            pass
        assert (said.type, said.data) == (aiohttp.WSMsgType.CLOSE, 4401)
        self.ended[name] = time.monotonic()


@pytest.fixture
def people(site: Site) -> Iterator[dict[str, Person]]:
    """Those whose streams are open, by what becomes of them."""
    names = ("stays", "signed-out", "deactivated", "new-password", "revoked", "deleted", "erased")
    with ExitStack() as stack:
        yield {name: stack.enter_context(Person(name, site)) for name in names}


@pytest.mark.slow
async def test_open_streams_end_when_their_right_to_does(
    site: Site, people: dict[str, Person]
) -> None:
    runs = {name: begin(person.api, "[[text Hi]][[stall]]") for name, person in people.items()}
    timeout = aiohttp.ClientTimeout(total=90)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        streams = Open(http, site)
        for name, person in people.items():
            await streams.read(name, person, runs[name]["run_id"], by_token=name == "revoked")
        await streams.listen("stays, page", people["stays"])
        await streams.listen("deactivated, page", people["deactivated"])

        await asyncio.to_thread(end_rights, people, runs)
        begun = time.monotonic()
        staying = {name for name in streams.reading if name.startswith("stays")}
        leaving = {task for name, task in streams.reading.items() if name not in staying}
        async with asyncio.timeout(REFUSED_SECONDS + CHECK_SECONDS):
            await asyncio.gather(*leaving)

        assert set(streams.ended) == set(streams.reading) - staying
        assert max(streams.ended.values()) - begun <= REFUSED_SECONDS + 1
        for name in staying:
            assert streams.reading[name].cancel(), f"{name}: ended by itself"


def end_rights(people: dict[str, Person], runs: dict[str, dict[str, str]]) -> None:
    Session.objects.filter(session_key=people["signed-out"].session_cookie).delete()
    deactivated, changed = people["deactivated"].user, people["new-password"].user
    deactivated.is_active = False
    deactivated.save()
    changed.set_password("another long password")
    changed.save()
    ApiToken.objects.filter(owner=people["revoked"].user).update(revoked_at=timezone.now())
    conversations = Conversation.objects
    conversations.filter(pk=runs["deleted"]["conversation_id"]).update(deleted_at=timezone.now())
    conversations.get(pk=runs["erased"]["conversation_id"]).delete()
