"""The fold of a run's events, read at any moment."""

from chat import events
from chat.events import ChatEvent
from chat.steps import Step, Steps
from chat.tools import ToolCall

CALL = ToolCall(id="c1", name="t", arguments={})
STORY: list[ChatEvent] = [
    events.reasoning("Let me "),
    events.reasoning("see. "),
    events.content("I look "),
    events.reasoning("Hm. "),
    events.content("it up."),
    events.tool_calls([CALL], iteration=1),
    events.tool_executing(CALL),
    events.tool_result("c1", "t", "42", outcome="ok", duration_ms=1),
    events.content("It is "),
    events.content("42."),
]


def test_text_belongs_to_its_step() -> None:
    fold = Steps.of(STORY)

    first, second = fold.steps
    assert (first.reasoning, first.content) == ("Let me see. Hm. ", "I look it up.")
    assert first.calls[0]["result"] == "42"
    assert (second.content, fold.final_text) == ("It is 42.", "It is 42.")


def test_whoever_reads_in_between_changes_nothing() -> None:
    fold = Steps()
    read = []
    for event in STORY:
        fold.apply(event)
        read.append(fold.final_text)
        assert fold.begun

    assert fold.to_json() == Steps.of(STORY).to_json()
    assert read == [
        "",
        "",
        "I look ",
        "I look ",
        "I look it up.",
        "",
        "",
        "",
        "It is ",
        "It is 42.",
    ]


def test_a_step_that_begins_again_has_forgotten_its_text() -> None:
    fold = Steps.of([*STORY, events.step_restarted(2), events.content("Forty-two.")])

    assert [step.content for step in fold.steps] == ["I look it up.", "Forty-two."]
    assert Steps.of([events.content("x"), events.step_restarted(1)]).begun == []
    assert Steps().steps == [Step()]
