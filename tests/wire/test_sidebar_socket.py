"""The WebSocket that tells a person's other tabs which conversation moved."""

import json

import aiohttp
import pytest

from tests.people import Person


async def connect(
    session: aiohttp.ClientSession, person: Person, cookie: str, origin: str = ""
) -> aiohttp.ClientWebSocketResponse:
    headers = {"Origin": origin or person.site.url, "Cookie": f"sessionid={cookie}"}
    url = person.site.url.replace("http", "ws") + "/ws/"
    return await session.ws_connect(url, headers=headers, timeout=aiohttp.ClientWSTimeout())


async def test_a_persons_tabs_hear_of_their_own_conversations_only(
    alice: Person, bob: Person
) -> None:
    body = {"message": "[[text hi]]"}
    async with aiohttp.ClientSession() as session:
        hers = await connect(session, alice, alice.session_cookie)
        his = await connect(session, bob, bob.session_cookie)

        url = f"{alice.site.url}/chat"
        async with session.post(url, json=body, headers=alice.headers) as response:
            started = await response.json()
        async with session.post(url, json=body, headers=bob.headers) as response:
            other = await response.json()
        heard = [json.loads(await hers.receive_str(timeout=5)) for _ in range(2)]
        also = json.loads(await his.receive_str(timeout=5))

    assert [message["state"] for message in heard] == ["new", "finished"]
    assert {message["id"] for message in heard} == {started["conversation_id"]}
    assert also["id"] == other["conversation_id"]
    assert {message["type"] for message in heard} == {"conversation"}


@pytest.mark.parametrize(("cookie", "origin"), [("", ""), ("own", "https://evil.example")])
async def test_strangers_and_foreign_pages_are_refused(
    alice: Person, cookie: str, origin: str
) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await connect(session, alice, alice.session_cookie if cookie else "", origin)

    assert refused.value.status == 403
