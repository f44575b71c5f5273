"""Quotas: who has which, that nobody gets past them, and that people are told kindly."""

from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from chat.language import told
from chat.models import AgentRun, Conversation, Quota, UsageEntry
from chat.models.limits import check_start, standing_of
from chat.runs.budget import open_budget
from tests.people import Person
from tests.sse import Frame, ask, begin, read, wait_until

DAY_SECONDS = 24 * 3600
CALL = '[[call echo {"text": "hello"}]]'
Give = Callable[..., Quota]
T = TypeVar("T")


@pytest.fixture
def give(database: None) -> Iterator[Give]:
    """A quota for the time of the test."""
    given: list[Quota] = []

    def make(**fields: Any) -> Quota:
        given.append(Quota.objects.create(**fields))
        return given[-1]

    yield make
    for quota in given:
        quota.delete()


def group_of(person: Person, name: str) -> Group:
    group = Group.objects.create(name=f"{name} of {person.username}")
    person.user.groups.add(group)
    return group


def outcomes(seen: list[Frame]) -> list[str]:
    return sorted(frame.data["outcome"] for frame in seen if frame.event == "tool_result")


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """What it returns; fails where it waits for anything, such as a thread with a database."""
    with pytest.raises(StopIteration) as ended:
        coroutine.send(None)
    value: T = ended.value.value
    return value


def test_field_by_field_the_nearest_quota_counts(alice: Person, give: Give) -> None:
    give(runs_per_minute=1, tokens_per_day=10, tool_calls_per_run=10, cost_per_day="0.5")
    give(group=group_of(alice, "few"), tokens_per_day=20, tool_calls_per_run=20)
    give(group=group_of(alice, "many"), tokens_per_day=30, runs_per_minute=7)
    give(person=alice.user, tool_calls_per_run=0)

    allowance = standing_of(alice.user.pk).allowance

    assert allowance.tool_calls_per_run == 0
    assert (allowance.tokens_per_day, allowance.runs_per_minute) == (30, 7)
    assert allowance.cost_per_day == 0.5
    # No row says anything about it: the settings do.
    assert allowance.active_runs == 8


def test_of_twenty_at_once_only_as_many_start_as_may(alice: Person, give: Give) -> None:
    give(person=alice.user, active_runs=3)
    body = {"message": "[[tokens 900 delay 20]]"}

    with ThreadPoolExecutor(20) as threads:
        asking = threads.map(lambda _: alice.api.post("/api/conversations/", json=body), range(20))
        answers = list(asking)

    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [429] * 17
    assert AgentRun.objects.filter(owner=alice.user).count() == 3
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["code"] == "QUOTA_EXCEEDED"
    assert refused.json()["retry_after_seconds"] == int(refused.headers["Retry-After"]) == 5
    for run in AgentRun.objects.filter(owner=alice.user):
        alice.api.post(f"/api/runs/{run.pk}/cancellations/")
    wait_until(lambda: standing_of(alice.user.pk).active_runs == 0)


def test_the_same_question_twelve_times_takes_the_last_place_once(
    alice: Person, give: Give
) -> None:
    give(person=alice.user, active_runs=1)
    body, headers = {"message": "[[tokens 900 delay 20]]"}, {"Idempotency-Key": "the last"}

    with ThreadPoolExecutor(12) as threads:
        asking = threads.map(
            lambda _: alice.api.post("/api/conversations/", json=body, headers=headers), range(12)
        )
        answers = list(asking)

    assert {answer.status_code for answer in answers} == {201}
    (run_id,) = {answer.json()["run_id"] for answer in answers}
    alice.api.post(f"/api/runs/{run_id}/cancellations/")
    wait_until(lambda: standing_of(alice.user.pk).active_runs == 0)


def test_questions_a_minute_free_up_when_the_first_is_a_minute_old(
    alice: Person, give: Give
) -> None:
    give(person=alice.user, runs_per_minute=2)
    for _ in range(2):
        ask(alice.api, "[[text hi]]")

    refused = alice.api.post("/api/conversations/", json={"message": "third"})

    assert refused.status_code == 429
    assert 30 < int(refused.headers["Retry-After"]) <= 60


@pytest.mark.parametrize(
    ("limit", "usage", "shown"),
    [
        ({"tokens_per_day": 100}, "60 50", "110 of 100"),
        ({"cost_per_day": "0.75"}, "60 50 0.8", "$0.80 of $0.75"),
    ],
)
def test_what_the_day_has_used_up_ends_the_answer_and_the_next_question(
    alice: Person, give: Give, limit: dict[str, Any], usage: str, shown: str
) -> None:
    quota = give(person=alice.user, **limit)

    seen = ask(alice.api, f"[[usage {usage}]]{CALL}[[then]][[text never said]]")
    refused = alice.api.post("/api/conversations/", json={"message": "again"})

    assert outcomes(seen) == ["ok"]
    assert seen[-1].data["code"] == "QUOTA_EXCEEDED"
    assert "UTC" in seen[-1].data["message"]
    assert (refused.status_code, refused.json()["code"]) == (429, "QUOTA_EXCEEDED")
    assert 0 < int(refused.headers["Retry-After"]) <= DAY_SECONDS
    with translation.override("de"):
        assert "UTC" in told(refused.json()["message"]) != refused.json()["message"]
    assert shown in alice.http.get("/account/").text

    # What was deleted was used all the same; more is more.
    Conversation.objects.filter(owner=alice.user).delete()
    assert alice.api.post("/api/conversations/", json={"message": "more"}).status_code == 429
    Quota.objects.filter(pk=quota.pk).update(tokens_per_day=10**6, cost_per_day=None)
    assert ask(alice.api, "[[text Here we go.]]")[-1].event == "done"


def test_all_that_was_used_is_stored_once(alice: Person, give: Give) -> None:
    steps = f"[[usage 10 1 0.5]]{CALL}[[then]][[usage 20 2 0.25]]{CALL}[[then]]"
    steps += "[[usage 5 0]][[text x]]"
    ask(alice.api, steps)
    give(person=alice.user, tokens_per_day=10**6)
    ask(alice.api, steps)

    rows = UsageEntry.objects.filter(person=alice.user).order_by("pk")
    amounts = rows.values_list("runs", "input_tokens", "output_tokens", "cost")
    assert list(amounts) == [(1, 35, 3, 0.75), (0, 10, 1, 0.5), (0, 20, 2, 0.25), (1, 5, 0, None)]


def test_an_answer_that_was_stopped_has_used_what_its_steps_have(alice: Person) -> None:
    run_id = begin(alice.api, f"[[usage 30 4]]{CALL}[[then]][[stall]]")["run_id"]
    read(alice.api, run_id, until=lambda frame: frame.event == "tool_result")
    alice.api.post(f"/api/runs/{run_id}/cancellations/")
    read(alice.api, run_id)

    entry = UsageEntry.objects.get(person=alice.user)
    assert (entry.runs, entry.input_tokens, entry.output_tokens) == (1, 30, 4)


def test_past_the_last_tool_call_the_model_is_told_and_goes_on(alice: Person, give: Give) -> None:
    give(person=alice.user, tool_calls_per_run=2)

    seen = ask(alice.api, f"{CALL * 3}[[then]]{CALL}[[then]][[text Done.]]")

    assert outcomes(seen) == ["blocked", "blocked", "ok", "ok"]
    assert seen[-1].data["content"].strip() == "Done."
    last = [frame for frame in seen if frame.event == "tool_result"][-1]
    assert "may call tools 2 times" in last.data["result"]


def test_a_start_asks_little_and_a_step_nothing_unless_the_day_is_limited(
    alice: Person, give: Give
) -> None:
    counted = 1 + (connection.vendor == "postgresql")
    with transaction.atomic(), CaptureQueriesContext(connection) as asked:
        allowance = check_start(alice.user.pk)
    assert len(asked) == counted

    run = AgentRun(owner=alice.user)
    run.allowance = allowance
    budget = at_once(open_budget(run, []))
    for _ in range(3):
        budget.spend({"input_tokens": 5})
        at_once(budget.check())

    give(person=alice.user, tokens_per_day=100)
    with transaction.atomic(), CaptureQueriesContext(connection) as asked:
        check_start(alice.user.pk)
    assert len(asked) == counted + 1
