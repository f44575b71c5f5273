"""Expected failures, named by who must act. The text of each is safe to show to a person."""


class ChatError(Exception):
    """Something expected went wrong. `str(error)` may be shown; `code` goes on the wire."""

    code = "INTERNAL"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class ConfigurationError(ChatError):
    """The operator must act: a missing key, an unknown provider."""

    code = "CONFIGURATION"


class ProviderError(ChatError):
    """The model's API failed. `retryable`: the same request may succeed in a moment.

    `feedback`: what to tell the model when it is asked again, where it was its own mistake.
    """

    code = "LLM_ERROR"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        retryable: bool = False,
        retry_after_seconds: float | None = None,
        feedback: str = "",
    ) -> None:
        super().__init__(message, code=code)
        self.retryable = retryable
        self.retry_after_seconds = retry_after_seconds
        self.feedback = feedback


class ContextTooLong(ProviderError):
    """The model cannot read this much: it may be asked again with less."""


class LimitReached(ChatError):
    """The person must act: steps, time, size or quota are used up."""

    code = "MAX_ITERATIONS"


class RunActive(ChatError):
    """The conversation already has an answer in progress."""

    code = "RUN_ACTIVE"


class Restarting(ChatError):
    """This process takes no new runs; another one, or its successor, will in a moment."""

    code = "RESTARTING"


class QuotaExceeded(ChatError):
    """The person has used what they may. They may go on after `retry_after_seconds`."""

    code = "QUOTA_EXCEEDED"

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class StorageAway(ChatError):
    """The database is away, locked or full; the operator must act if it stays so."""

    code = "STORAGE"


class RunLost(ChatError):
    """Another process has taken this run over: nothing more may be written to it from here."""


class ToolError(ChatError):
    """A tool call failed. The model reads the text and decides; `outcome` goes on record."""

    outcome = "tool_error"


class ToolBlocked(ToolError):
    """The tool may not be called or does not exist. It was not executed.

    `rule`: what of the policy says so, where it does.
    """

    outcome = "blocked"

    def __init__(self, message: str, *, rule: str = "") -> None:
        super().__init__(message)
        self.rule = rule


class ToolDenied(ToolError):
    """Whoever was asked did not allow the call. It was not executed."""

    outcome = "denied"


class ToolTimeout(ToolError):
    """The call's deadline passed. It may have been executed."""

    outcome = "timeout"


class ToolLost(ToolError):
    """The connection broke in mid-call. It may have been executed and is never repeated."""

    outcome = "lost"


class ServerUnavailable(ToolError):
    """The tool's server cannot be reached. The call was not executed; the operator must act."""
