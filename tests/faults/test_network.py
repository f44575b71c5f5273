"""What people see when the network to the model or to a tool server fails."""

import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

from chat.models import MCPServer
from tests.faults.proxy import HALF_OPEN, MUTE, NONE, RESET, Fault, Proxy
from tests.people import Person
from tests.servers.mcp_server import ScriptedMCPServer
from tests.servers.model_server import ScriptedModelServer
from tests.servers.site import Site
from tests.sse import Frame, ask, begin, read, text_of, wait_until

TEXT = "[[tokens 300 delay 10]]"
WHOLE = "".join(f"t{number} " for number in range(1, 301))
IN_A_TOOL = '[[call far_slow {"seconds": 30, "steps": 300}]][[then]][[text Well.]]'
BOTH = '[[call far_echo {"text": "far"}]][[call main_echo {"text": "near"}]][[then]][[text Both.]]'

AddServer = Callable[..., MCPServer]
NewSite = Callable[..., Site]


@pytest.fixture
def to_model(model_server: ScriptedModelServer) -> Iterator[Proxy]:
    """The network between the site and its model."""
    with Proxy(urlsplit(model_server.base_url).port or 0) as proxy:
        yield proxy


@pytest.fixture
def far() -> Iterator[ScriptedMCPServer]:
    """A tool server behind the network; the near one is that of the whole suite."""
    with ScriptedMCPServer("far") as server:
        yield server


@pytest.fixture
def to_tools(far: ScriptedMCPServer) -> Iterator[Proxy]:
    """The network between the site and the far tool server."""
    with Proxy(far.port) as proxy:
        yield proxy


@pytest.fixture
def patient(new_site: NewSite, to_model: Proxy) -> Iterator[Person]:
    """Alice, on a site that waits as long as it usually does."""
    site = new_site(LLM_BASE_URL=f"http://127.0.0.1:{to_model.port}/v1")
    with Person("alice", site) as person:
        yield person


@pytest.fixture
def alice(new_site: NewSite, to_model: Proxy) -> Iterator[Person]:
    """Alice, on a site whose patience is short and whose model is behind the network."""
    site = new_site(
        LLM_BASE_URL=f"http://127.0.0.1:{to_model.port}/v1",
        LLM_FIRST_TOKEN_TIMEOUT_SECONDS="2",
        LLM_IDLE_TIMEOUT_SECONDS="2",
    )
    with Person("alice", site) as person:
        yield person


@pytest.fixture
def tools(alice: Person, to_tools: Proxy, add_server: AddServer) -> None:
    """The far tools are Alice's, connected and in use."""
    add_server(alice, f"http://127.0.0.1:{to_tools.port}/mcp", slug="far", timeout_seconds=2)
    assert outcomes(ask(alice.api, BOTH)) == {"far_echo": "ok", "main_echo": "ok"}


def half_read(person: Person) -> tuple[str, list[Frame]]:
    """A run whose answer has begun to come."""
    run_id = begin(person.api, TEXT)["run_id"]
    return run_id, read(person.api, run_id, until=lambda f: "t20 " in f.data.get("content", ""))


def outcomes(seen: list[Frame]) -> dict[str, str]:
    return {f.data["tool"]: f.data["outcome"] for f in seen if f.event == "tool_result"}


def durations(seen: list[Frame]) -> dict[str, int]:
    return {f.data["tool"]: f.data["duration_ms"] for f in seen if f.event == "tool_result"}


@pytest.mark.parametrize("is_reset", [False, True])
def test_a_model_cut_off_in_mid_answer_leaves_its_text(
    alice: Person, to_model: Proxy, is_reset: bool
) -> None:
    run_id, seen = half_read(alice)

    to_model.cut(is_reset=is_reset)
    seen += read(alice.api, run_id, after=seen[-1].id)

    assert seen[-1].data["code"] == "LLM_INCOMPLETE"
    assert len(text_of(seen)) >= len("t1 t2 t20 ")
    assert WHOLE.startswith(text_of(seen))
    assert text_of(ask(alice.api, "[[text Good again.]]")) == "Good again."


def test_a_model_reset_before_its_first_word_is_asked_again(
    alice: Person, to_model: Proxy, model_server: ScriptedModelServer
) -> None:
    before = len(model_server.requests)
    to_model.suffer_next(RESET)

    seen = ask(alice.api, "[[text Hello there.]]")

    assert seen[-1].data["content"] == "Hello there."
    assert len(model_server.requests) - before == 2


def test_a_model_that_cannot_be_reached_at_all_is_said_to_be_so(
    alice: Person, to_model: Proxy
) -> None:
    to_model.suffer(RESET)

    seen = ask(alice.api, "[[text Hello there.]]")

    assert seen[-1].event == "error"
    assert "connection to the model broke off" in seen[-1].data["message"]
    assert text_of(seen) == ""


def test_a_model_that_takes_questions_and_never_answers_is_given_up(
    alice: Person, to_model: Proxy
) -> None:
    to_model.suffer(HALF_OPEN)
    began = time.monotonic()

    seen = ask(alice.api, "[[text Hello there.]]")

    # Asked twice, two seconds each, and a pause.
    assert 4 < time.monotonic() - began < 12
    assert seen[-1].data["code"] == "LLM_TIMEOUT"


def test_a_model_that_falls_silent_in_mid_answer_is_given_up(
    alice: Person, to_model: Proxy
) -> None:
    run_id, seen = half_read(alice)
    to_model.suffer(MUTE)
    began = time.monotonic()

    seen += read(alice.api, run_id, after=seen[-1].id)

    assert 1.8 < time.monotonic() - began < 8
    assert seen[-1].data["code"] == "LLM_TIMEOUT"
    assert WHOLE.startswith(text_of(seen))


def test_a_model_far_away_is_slower_and_nothing_else(patient: Person, to_model: Proxy) -> None:
    to_model.suffer(Fault(delay_seconds=0.3))
    began = time.monotonic()

    seen = ask(patient.api, "[[reason Hm.]][[text Hello there.]]")

    assert time.monotonic() - began > 0.6
    assert seen[-1].data["content"] == text_of(seen) == "Hello there."


def test_a_thin_line_to_the_model_cuts_its_events_anywhere(
    patient: Person, to_model: Proxy
) -> None:
    to_model.suffer(Fault(bytes_per_second=4_000))

    seen = ask(patient.api, "[[text A “quay” in mañana: 渡し船 🛶.]]")

    assert seen[-1].data["content"] == "A “quay” in mañana: 渡し船 🛶."


@pytest.mark.usefixtures("tools")
def test_a_call_whose_connection_is_cut_is_lost_and_the_next_one_works(
    alice: Person, to_tools: Proxy, far: ScriptedMCPServer
) -> None:
    run_id = begin(alice.api, IN_A_TOOL)["run_id"]
    read(alice.api, run_id, until=lambda frame: frame.event == "tool_progress")

    to_tools.cut()
    seen = read(alice.api, run_id)

    assert outcomes(seen) == {"far_slow": "lost"}
    assert seen[-1].data["content"] == "Well."
    assert [name for name, _ in far.calls].count("slow") == 1
    assert outcomes(ask(alice.api, BOTH)) == {"far_echo": "ok", "main_echo": "ok"}


@pytest.mark.usefixtures("tools")
def test_a_silent_tool_server_costs_its_own_call_and_no_other(
    alice: Person, to_tools: Proxy
) -> None:
    to_tools.suffer(HALF_OPEN)
    seen = ask(alice.api, BOTH)

    assert outcomes(seen) == {"far_echo": "timeout", "main_echo": "ok"}
    assert 1900 < durations(seen)["far_echo"] < 8000
    assert durations(seen)["main_echo"] < durations(seen)["far_echo"]
    assert seen[-1].data["content"] == "Both."

    to_tools.suffer(NONE)
    far_again = ["far_echo", "main_echo"]
    wait_until(
        lambda: outcomes(ask(alice.api, BOTH)) == dict.fromkeys(far_again, "ok"),
        what="the far tools work again",
    )


@pytest.mark.usefixtures("tools")
def test_a_tool_server_far_away_is_slower_and_nothing_else(alice: Person, to_tools: Proxy) -> None:
    to_tools.suffer(Fault(delay_seconds=0.2))

    seen = ask(alice.api, BOTH)

    assert outcomes(seen) == {"far_echo": "ok", "main_echo": "ok"}
    assert durations(seen)["far_echo"] > 200
    assert durations(seen)["main_echo"] < durations(seen)["far_echo"]


@pytest.mark.usefixtures("tools")
def test_a_tool_server_that_is_gone_costs_its_tools_and_not_the_answer(
    alice: Person, to_tools: Proxy
) -> None:
    to_tools.suffer(RESET)
    to_tools.cut(is_reset=True)

    def gone() -> list[str]:
        seen = ask(alice.api, "[[text Without it.]]")
        assert seen[-1].data["content"] == "Without it."
        return [f.data["message"] for f in seen if f.event == "notice"]

    [notice] = wait_until(gone, what="the notice")
    assert notice.startswith("The tools of Far could not be had")
