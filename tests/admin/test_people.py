"""What an admin does to an account, and what follows from it."""

from chat.models import AgentRun, StaffAccess
from tests.pages.test_farewell import post
from tests.people import Person
from tests.sse import begin, read


def test_who_is_locked_out_has_no_answer_that_goes_on(alice: Person, carol: Person) -> None:
    run_id = begin(alice.api, '[[call slow {"seconds": 30}]][[then]][[text Well.]]')["run_id"]
    read(alice.api, run_id, until=lambda frame: frame.event == "tool_executing")
    page = f"/admin/auth/user/{alice.user.pk}/change/"
    joined = alice.user.date_joined
    days = {"date_joined_0": f"{joined:%Y-%m-%d}", "date_joined_1": f"{joined:%H:%M:%S}"}

    saved = post(carol, page, page, username=alice.username, **days)

    assert saved.status_code == 302
    alice.user.refresh_from_db()
    assert not alice.user.is_active
    assert AgentRun.objects.get(pk=run_id).cancel_requested_at


def test_a_token_that_staff_make_for_somebody_is_on_record(alice: Person, carol: Person) -> None:
    page = "/admin/chat/apitoken/add/"

    made = post(carol, page, page, owner=str(alice.user.pk), name="help")

    assert made.status_code == 302
    look = StaffAccess.objects.get(owner=alice.user)
    assert (look.what, look.about, look.reader_name) == ("token", "help", carol.username)
