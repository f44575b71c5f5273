"""The policy as its rows have it now: read for each call, so that a change counts at once."""

from collections.abc import Iterable
from uuid import UUID

from django.contrib.auth.models import Group

from chat.models import AgentRun, Approval, MCPServer, MCPTool, ToolRule
from chat.models.rows import Prepared
from chat.policy import Decision, Policy, Verdict
from chat.tools import Tool

REMEMBERED = "always allowed in this conversation"

_rules = Prepared(lambda _: ToolRule.objects.all())
_trusted = Prepared(lambda _: MCPServer.objects.filter(is_trusted=True))


def policy_for(user_id: int, servers: Iterable[MCPServer] | None = None) -> Policy:
    """What holds for this person; `servers`: their rows, where those are at hand."""
    # With their servers and groups in one statement: one of those may be gone before another.
    rows = _rules() and list(ToolRule.objects.select_related("server", "group"))
    groups: Iterable[int] = ()
    if any(row.group_id for row in rows):
        groups = Group.objects.filter(user=user_id).values_list("pk", flat=True)
    known = _trusted() if servers is None else servers
    return Policy(
        rules=[row.to_rule() for row in rows],
        groups=frozenset(groups),
        trusted=frozenset(server.slug for server in known if server.is_trusted),
    )


def tool_of(row: MCPTool) -> Tool:
    """A tool as far as the policy looks at it, from its accepted definition."""
    hints = row.accepted_definition.get("annotations") or {}
    return Tool(
        name=row.name,
        remote_name=row.name,
        description="",
        input_schema={},
        server=row.server.slug,
        is_read_only=bool(hints.get("readOnlyHint")),
        is_destructive=bool(hints.get("destructiveHint")),
    )


def verdict_in(run: AgentRun, tool: Tool) -> Verdict:
    """On a call of this run; what its owner allowed for the conversation is not asked again."""
    verdict = policy_for(run.owner_id).verdict_on(tool)
    if verdict.decision == Decision.ASK and is_remembered(run.conversation_id, tool):
        return Verdict(decision=Decision.ALLOW, rule=REMEMBERED)
    return verdict


def is_remembered(conversation_id: UUID, tool: Tool) -> bool:
    """Whether this definition of the tool is allowed for good in the conversation."""
    remembered = Approval.objects.filter(
        state=Approval.State.ALLOWED,
        remember=True,
        fingerprint=tool.fingerprint,
        tool_run__server__slug=tool.server,
        tool_run__run__conversation=conversation_id,
    )
    return bool(tool.fingerprint) and remembered.exists()
