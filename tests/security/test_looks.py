"""Each look of staff at what people said is on record, by whatever address they come."""

import pytest

from chat.models import StaffAccess, ToolRun
from tests.people import Person
from tests.sse import ask


def asked(person: Person) -> ToolRun:
    ask(person.api, '[[call echo {"text": "hers"}]][[then]][[text A secret of hers]]')
    return ToolRun.objects.select_related("run").get(run__owner=person.user)


def looks_at(person: Person) -> int:
    return StaffAccess.objects.filter(owner=person.user).count()


def test_the_events_of_a_replay_are_a_look(alice: Person, carol: Person) -> None:
    call = asked(alice)

    answer = carol.http.get(f"/admin/chat/agentrun/{call.run_id}/replay/events/")

    assert "A secret of hers" in answer.text
    assert looks_at(alice) == 1


def test_a_replay_with_its_events_is_one_look(alice: Person, carol: Person) -> None:
    call = asked(alice)

    for address in ("replay/", "replay/events/"):
        assert carol.http.get(f"/admin/chat/agentrun/{call.run_id}/{address}").status_code == 200

    assert looks_at(alice) == 1


@pytest.mark.parametrize("model", ["conversation", "agentrun", "toolrun"])
def test_another_spelling_of_an_id_is_a_look(model: str, alice: Person, carol: Person) -> None:
    call = asked(alice)
    ids = {"conversation": call.run.conversation_id, "agentrun": call.run_id, "toolrun": call.pk}

    answer = carol.http.get(f"/admin/chat/{model}/urn_3Auuid_3A{ids[model]}/change/")

    assert looks_at(alice) == (1 if answer.status_code == 200 else 0)
