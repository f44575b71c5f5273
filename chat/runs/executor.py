"""A living run: the one place where the loop, its provider, its tools and its rows meet."""

import asyncio
import logging
from uuid import uuid4

from django.conf import settings

from chat import events
from chat.agent.loop import Limits, run_agent
from chat.errors import ChatError, RunLost, StorageAway
from chat.models import AgentRun
from chat.runs.budget import open_budget
from chat.runs.engine import Engine
from chat.runs.journal import AWAY
from chat.runs.pool import AWAY_ERRORS, in_writer
from chat.runs.recorder import INTERRUPTED, Recorder
from chat.runs.recovery import give_up
from chat.runs.tools.approvals import Gate
from chat.runs.tools.inputs import Asker
from chat.runs.tools.toolbox import RunToolbox
from chat.runs.work import Work
from chat.steps import Steps
from chat.text import say
from chat.transcript import ChatMessage

logger = logging.getLogger(__name__)


async def execute(
    run: AgentRun, history: list[ChatMessage], work: Work, engine: Engine, begun: Steps
) -> None:
    """Answer the claimed run's question; `begun` is what another process has recorded of it.

    Whatever happens, it has one ending when this returns, or is another process's.
    """
    recorder = Recorder(engine.journal, run, begun)
    work.close = recorder.close
    work.waits_only = recorder.steps.waits_only
    work.is_claimed.set()
    try:
        work.is_cancellable = True
        try:
            await _answer(run, history, work, recorder, engine)
        finally:
            # How it ended is recorded to the last word: a stop comes too late for that.
            work.is_cancellable = False
    except (asyncio.CancelledError, RunLost) as error:
        if work.is_leaving:
            await _hand_over(run, recorder)
        elif isinstance(error, asyncio.CancelledError):
            await _stopped(work, recorder)
        else:
            logger.warning("Run %s was taken over by another process", run.pk)
    except ChatError as error:
        await _end(recorder, events.error(str(error), code=error.code))
    except AWAY_ERRORS as error:
        logger.warning("Run %s could not be gone on with: %s", run.pk, error)
        await _end(recorder, events.error(AWAY, code=StorageAway.code))
    except Exception:
        reference = uuid4().hex[:8]
        logger.exception("Run %s failed; reference %s", run.pk, reference)
        text = say("Something went wrong on our side. Reference {reference}.", reference=reference)
        await _end(recorder, events.error(text, code="INTERNAL"))


async def _answer(
    run: AgentRun,
    history: list[ChatMessage],
    work: Work,
    recorder: Recorder,
    engine: Engine,
) -> None:
    if work.is_stopping:
        raise asyncio.CancelledError
    budget = await open_budget(run, recorder.steps.begun)
    await run_agent(
        history,
        provider=engine.provider(run.model_name),
        toolbox=RunToolbox(
            run.pk,
            await engine.toolbox(run.conversation, work.access),
            budget,
            Gate(run=run, record=recorder.record, waiting=engine.waiting_approvals),
            Asker(run=run, record=recorder.record, waiting=engine.waiting_inputs),
            recorder.steps.open_calls,
        ),
        record=recorder.record,
        limits=Limits(
            iterations=settings.MAX_TOOL_ITERATIONS,
            context_tokens=settings.LLM_CONTEXT_TOKENS,
            turns_left_out=run.turns_left_out,
        ),
        begun=recorder.steps.begun,
        budget=budget,
    )


async def _hand_over(run: AgentRun, recorder: Recorder) -> None:
    """Store what was recorded, then let another process have the run at once."""
    try:
        await recorder.settle()
        await in_writer(give_up, run.pk, run.lease)
    except RunLost:
        logger.warning("Run %s was taken over by another process", run.pk)
    except ChatError as error:
        # Then its heartbeat runs out instead.
        logger.warning("Run %s could not be handed over: %s", run.pk, error)


async def _stopped(work: Work, recorder: Recorder) -> None:
    """A person's stop is a good ending; a process that goes away leaves an interrupted run."""
    if work.is_stopping:
        text = recorder.steps.final_text
        await _end(recorder, events.done(text, finish_reason="cancelled", usage={}))
    else:
        text = say("The server was restarted while it answered.")
        await _end(recorder, events.error(text, code=INTERRUPTED))


async def _end(recorder: Recorder, ending: events.ChatEvent) -> None:
    """Record an ending; if even that cannot be stored, recovery ends the run later."""
    try:
        await recorder.end(ending)
    except ChatError as error:
        logger.error("The end of a run could not be stored: %s", error)
