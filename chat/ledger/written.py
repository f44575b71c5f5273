"""Tool calls as lines of a file: CSV for spreadsheets, JSONL for programs."""

import csv
import io
import json
from collections.abc import Iterable
from typing import Any

from chat.models import ToolRun, ToolRunExport
from chat.usage import Usage

# Beginnings that spreadsheets take for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
COLUMNS = (
    *("id", "requested_at", "started_at", "finished_at", "duration_ms", "outcome"),
    *("tool", "title", "server", "person", "conversation_id", "conversation", "run_id", "call_id"),
    *("step", "model_name", "step_cost", "arguments", "result", "result_bytes", "fingerprint"),
    *("rule", "approval", "decided_by", "decided_at", "changed_arguments"),
)


def record_of(row: ToolRun) -> dict[str, Any]:
    """All that is on record of a call; docs/ledger.md explains the names. Times are UTC."""
    approval = getattr(row, "approval", None)
    return {
        "id": str(row.pk),
        "requested_at": _time(row.created_at),
        "started_at": _time(row.started_at),
        "finished_at": _time(row.finished_at),
        "duration_ms": row.duration_ms,
        "outcome": row.state,
        "tool": row.tool,
        "title": row.title,
        "server": row.server_name,
        "person": row.owner.get_username(),
        "conversation_id": str(row.run.conversation_id),
        "conversation": row.run.conversation.title,
        "run_id": str(row.run_id),
        "call_id": row.call_id,
        "step": row.iteration,
        "model_name": row.run.model_name,
        "step_cost": Usage.from_json(row.usage).cost,
        "arguments": row.invalid_arguments or row.arguments,
        "result": row.result,
        "result_bytes": row.result_bytes,
        "fingerprint": row.fingerprint,
        "rule": row.rule,
        "approval": approval.state if approval else "",
        "decided_by": str(approval.decided_by or "") if approval else "",
        "decided_at": _time(approval.decided_at) if approval else None,
        "changed_arguments": approval.changed_arguments if approval else None,
    }


def head(kind: str) -> str:
    """What stands before the first call."""
    return _csv([list(COLUMNS)]) if kind == ToolRunExport.Format.CSV else ""


def lines(rows: Iterable[ToolRun], kind: str) -> str:
    """Whole lines; in CSV none of their cells is a formula."""
    records = map(record_of, rows)
    if kind == ToolRunExport.Format.CSV:
        return _csv([_cell(record[name]) for name in COLUMNS] for record in records)
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def _cell(value: Any) -> Any:
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False)
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _csv(rows: Iterable[list[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _time(moment: Any) -> str | None:
    return moment.isoformat() if moment else None
