"""Named points at which a server can be made to die. Imports nothing of the product."""

from dataclasses import dataclass
from typing import Literal

When = Literal["before", "after", "in result"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """A call in the product: `owner` as pkgutil.resolve_name takes it, and a name in there.

    `when`: before or after it, or after the call of the function that it returns. `hits`: about
    as many are to be expected while a round's questions are answered.
    """

    owner: str
    name: str
    when: When
    hits: int


POINTS = {
    # A question is stored; nobody has begun with it.
    "before_start": Point(owner="chat.runs.tasks", name="begin", when="before", hits=6),
    "before_history": Point(owner="chat.runs.tasks", name="read_history", when="before", hits=6),
    "before_announce": Point(owner="chat.runs.tasks", name="announce", when="before", hits=12),
    # An event is in the queue of the journal.
    "after_append": Point(owner="chat.runs.run_log:RunLog", name="add", when="after", hits=300),
    # Its row is inserted, and the transaction is open.
    "before_commit": Point(owner="chat.runs.store", name="_write_in_sqlite", when="after", hits=45),
    "after_commit": Point(owner="chat.runs.journal", name="write", when="after", hits=45),
    "before_show": Point(owner="chat.runs.run_log:RunLog", name="stored", when="before", hits=120),
    "after_show": Point(owner="chat.runs.run_log:RunLog", name="stored", when="after", hits=120),
    "before_tool": Point(owner="chat.mcp.calls:Calls", name="call", when="before", hits=7),
    "after_tool": Point(owner="chat.mcp.calls:Calls", name="call", when="after", hits=7),
    # A person is asked, has decided, and their decision is about to be told.
    "before_ask": Point(owner="chat.runs.tools.approvals:Gate", name="_ask", when="before", hits=1),
    "after_decision": Point(
        owner="chat.runs.supervisor", name="settle_approval", when="after", hits=1
    ),
    "before_told": Point(
        owner="chat.runs.tools.approvals:Gate", name="_told", when="before", hits=1
    ),
    # The rows of an ending are written, and the transaction is open.
    "in_ending": Point(owner="chat.runs.effects", name="of_ending", when="in result", hits=6),
    # The new owner of a run dies, too.
    "after_take_over": Point(owner="chat.runs.watch", name="take_over", when="after", hits=4),
    "before_resume": Point(owner="chat.agent.loop", name="resume", when="before", hits=1),
    "after_resume": Point(owner="chat.agent.loop", name="resume", when="after", hits=1),
    # It was asked to stop, and hands over what it does.
    "before_give_up": Point(owner="chat.runs.executor", name="give_up", when="before", hits=4),
    "after_give_up": Point(owner="chat.runs.executor", name="give_up", when="after", hits=4),
    # Tool runs have their places in the chain, and the transaction is open.
    "in_sealing": Point(
        owner="chat.models.ledger:LedgerHead", name="sign_and_save", when="before", hits=3
    ),
    # The rows of an answer that is over are being put together, and the transaction is open.
    "in_packing": Point(
        owner="django.db.models.query:QuerySet", name="delete", when="after", hits=5
    ),
}
# Those that are passed while questions are answered.
ANSWERING = [name for name in POINTS if name != "in_packing"]
