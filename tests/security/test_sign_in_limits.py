"""Guessing passwords: how many tries there are, of an address and of an account."""

import secrets
import socket

from chatsite.cache import SharedCache
from tests.people import PASSWORD, Person
from tests.security.signing_in import browser, try_in
from tests.servers.site import Site


def test_the_eleventh_wrong_try_in_a_minute_is_429(gate: Site, alice: Person) -> None:
    here = f"10.{secrets.randbelow(250)}.{secrets.randbelow(250)}.1"
    with browser(gate, here) as client, browser(gate, here[:-1] + "2") as other:
        wrong = [try_in(client, f"nobody-{n}", "wrong").status_code for n in range(5)]
        wrong += [try_in(client, alice.username, "wrong").status_code for _ in range(5)]
        assert wrong == [200] * 10
        limited = try_in(client, alice.username, PASSWORD)
        assert (limited.status_code, limited.headers["retry-after"]) == (429, "60")
        assert 'role="alert"' in limited.text
        # Another address may still try, and tries that were right are not counted.
        for _ in range(6):
            assert try_in(other, alice.username, PASSWORD).status_code == 302
            other.cookies.clear()


def test_an_account_has_ten_wrong_tries_in_a_minute_from_wherever(gate: Site, bob: Person) -> None:
    network = f"10.{secrets.randbelow(250)}.{secrets.randbelow(250)}"

    for place in range(10):
        with browser(gate, f"{network}.{place}") as client:
            assert try_in(client, bob.username, "wrong").status_code == 200

    with browser(gate, f"{network}.10") as client:
        assert try_in(client, bob.username, PASSWORD).status_code == 429
        # Others are let in from there.
        assert try_in(client, "nobody-there", "wrong").status_code == 200


def test_without_redis_each_process_counts_by_itself() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        cache = SharedCache(f"redis://127.0.0.1:{closed.getsockname()[1]}", {})
        assert cache.add("a-lock", 1)
        assert not cache.add("a-lock", 1)
        cache.delete("a-lock")
        cache.set("tries", [1.0, 2.0])
        assert (cache.get("a-lock"), cache.get("tries")) == (None, [1.0, 2.0])
