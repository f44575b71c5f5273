"""Whose line of the log it is: ids that the formatter adds, and never anything that was said."""

from contextvars import Context, ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="")
user_id: ContextVar[str] = ContextVar("user_id", default="")
run_id: ContextVar[str] = ContextVar("run_id", default="")


def current() -> dict[str, str]:
    """Those that are known, by the names that they have in a line."""
    ids = {"request": request_id.get(), "user": user_id.get(), "run": run_id.get()}
    return {name: value for name, value in ids.items() if value}


def alone() -> Context:
    """A context that knows them as they are here, and nothing else."""
    context = Context()
    for variable in (request_id, user_id, run_id):
        context.run(variable.set, variable.get())
    return context
