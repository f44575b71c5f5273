"""Answers survive their process: killed, or asked to stop."""

import time
from collections.abc import Callable

import httpx
import pytest

from chat.models import AgentRun, RunEvent, ToolRun
from tests.faults.follower import Follower
from tests.people import Person
from tests.servers.mcp_server import ScriptedMCPServer
from tests.servers.model_server import ScriptedModelServer
from tests.servers.site import Site
from tests.sse import Frame, begin, read, text_of, wait_until

TEXT = "[[tokens 300 delay 10]]"
AFTER_A_TOOL = '[[call echo {"text": "once"}]][[then]][[tokens 300 delay 10]]'
IN_A_TOOL = (
    '[[call echo {"text": "pair"}]][[call slow {"seconds": 60, "steps": 600}]]'
    "[[then]][[text Well.]]"
)
WHOLE = "".join(f"t{number} " for number in range(1, 301))


class Reader:
    """One who reads a run on a server that is about to go, and goes on reading elsewhere."""

    def __init__(self, api: httpx.Client, question: str) -> None:
        self.run_id = begin(api, question)["run_id"]
        self.seen: list[Frame] = []
        self._api = api

    def read_until(self, condition: Callable[[Frame], bool]) -> None:
        after = self.seen[-1].id if self.seen else 0
        self.seen += read(self._api, self.run_id, after, until=condition)

    def finish(self, api: httpx.Client) -> None:
        """Read the rest, and check what holds for every run."""
        self.seen += read(api, self.run_id, self.seen[-1].id)
        assert [frame.id for frame in self.seen] == list(range(1, len(self.seen) + 1))
        rows = RunEvent.objects.filter(run_id=self.run_id).order_by("seq")
        assert [row.to_event().to_sse().strip() for row in rows] == [f.raw for f in self.seen]
        assert sum(frame.event in {"done", "error"} for frame in self.seen) == 1

    @property
    def kinds(self) -> list[str]:
        return [frame.event for frame in self.seen]

    @property
    def last_text(self) -> str:
        """The text since the step was asked for again."""
        restarted = self.kinds.index("step_restarted")
        return text_of(self.seen[restarted:])


def started(api: httpx.Client) -> tuple[Reader, Reader, Reader]:
    in_text, after_a_tool, in_a_tool = (
        Reader(api, question) for question in (TEXT, AFTER_A_TOOL, IN_A_TOOL)
    )
    in_text.read_until(lambda frame: "t20 " in frame.data["content"])
    after_a_tool.read_until(lambda frame: "t20 " in frame.data.get("content", ""))
    in_a_tool.read_until(lambda frame: frame.event == "tool_progress")
    return in_text, after_a_tool, in_a_tool


def check(
    readers: tuple[Reader, Reader, Reader],
    mcp_server: ScriptedMCPServer,
    model_server: ScriptedModelServer,
) -> None:
    in_text, after_a_tool, in_a_tool = readers
    for reader in (in_text, after_a_tool):
        assert reader.kinds.count("step_restarted") == 1
        assert reader.last_text == reader.seen[-1].data["content"] == WHOLE
    assert mcp_server.calls.count(("echo", {"text": "once"})) == 1
    assert mcp_server.calls.count(("echo", {"text": "pair"})) == 1
    outcomes = [f.data["outcome"] for f in in_a_tool.seen if f.event == "tool_result"]
    assert outcomes == ["ok", "lost"]
    assert in_a_tool.seen[-1].data["content"] == "Well."
    shown = [m["content"] for _, body in model_server.requests for m in body["messages"]]
    assert any("do not assume either way" in text for text in shown)
    lost = ToolRun.objects.get(run_id=in_a_tool.run_id, tool="slow")
    assert lost.state == "lost"


@pytest.fixture
def calls(mcp_server: ScriptedMCPServer, model_server: ScriptedModelServer) -> ScriptedMCPServer:
    """What both were asked before is forgotten."""
    mcp_server.calls.clear()
    model_server.requests.clear()
    return mcp_server


@pytest.mark.slow
def test_a_killed_server_s_answers_are_finished_by_another(
    alice: Person,
    new_site: Callable[..., Site],
    calls: ScriptedMCPServer,
    model_server: ScriptedModelServer,
) -> None:
    doomed = new_site()
    with httpx.Client(base_url=doomed.url, headers=alice.headers, timeout=60) as api:
        readers = started(api)
    with Follower(alice.site.url, alice.headers, readers[0].run_id) as elsewhere:
        wait_until(lambda: elsewhere.has("t20 "), what="it is read elsewhere, too")
        doomed.kill()
        killed_at = time.monotonic()

        for reader in readers:
            reader.finish(alice.api)

        assert time.monotonic() - killed_at < 30
        elsewhere.end()
    assert [f.raw for f in elsewhere.seen] == [f.raw for f in readers[0].seen]
    assert elsewhere.breaks == 0
    check(readers, calls, model_server)
    for reader in readers:
        run = AgentRun.objects.get(pk=reader.run_id)
        assert (run.status, run.lease, run.takeovers) == ("completed", 2, 1)


def test_a_server_that_is_asked_to_stop_hands_its_answers_over(
    alice: Person,
    new_site: Callable[..., Site],
    calls: ScriptedMCPServer,
    model_server: ScriptedModelServer,
) -> None:
    leaving = new_site(DRAIN_SECONDS="0")
    with httpx.Client(base_url=leaving.url, headers=alice.headers, timeout=60) as api:
        readers = started(api)
    began = time.monotonic()
    assert leaving.stop() == 0
    print("stopped after", time.monotonic() - began)
    assert time.monotonic() - began < 15

    for reader in readers:
        reader.finish(alice.api)

    check(readers, calls, model_server)
    for reader in readers:
        run = AgentRun.objects.get(pk=reader.run_id)
        assert (run.status, run.lease, run.takeovers) == ("completed", 3, 0)


def test_a_server_that_is_asked_to_stop_lets_short_answers_end_and_takes_no_more(
    alice: Person, new_site: Callable[..., Site]
) -> None:
    leaving = new_site(DRAIN_SECONDS="8")
    with httpx.Client(base_url=leaving.url, headers=alice.headers, timeout=60) as api:
        run_id = begin(api, "[[tokens 250 delay 10]]")["run_id"]
        with Follower(leaving.url, alice.headers, run_id) as reader:
            reader.waits_for("t20 ")
            assert leaving.process
            leaving.process.terminate()
            wait_until(lambda: api.get("/readyz").status_code == 503, what="it says that it leaves")
            refused = api.post("/api/conversations/", json={"message": "One more"})

            assert reader.end().event == "done"
            assert reader.breaks == 0
    assert leaving.stop() == 0

    assert (refused.status_code, refused.json()["code"]) == (503, "RESTARTING")
    assert refused.json()["message"].startswith("The server is restarting. Please try again")
    run = AgentRun.objects.get(pk=run_id)
    assert (run.status, run.lease) == ("completed", 1)


def test_where_that_is_wanted_answers_are_ended_as_interrupted(
    alice: Person, new_site: Callable[..., Site]
) -> None:
    leaving = new_site(DRAIN_SECONDS="0", RUN_RECOVERY="interrupt")
    with httpx.Client(base_url=leaving.url, headers=alice.headers, timeout=60) as api:
        reader = Reader(api, TEXT)
        reader.read_until(lambda frame: "t20 " in frame.data["content"])
    assert leaving.stop() == 0

    reader.finish(alice.api)
    assert reader.seen[-1].data["code"] == "INTERRUPTED"
    assert AgentRun.objects.get(pk=reader.run_id).status == "interrupted"
