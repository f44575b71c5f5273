"""Watches over the runs of this process, and over those whose process is gone."""

import asyncio
import logging
from uuid import UUID

from chat.errors import RunLost
from chat.events import ChatEvent
from chat.models import AgentRun
from chat.runs import tasks
from chat.runs.engine import Engine
from chat.runs.journal import HEARTBEAT_SECONDS
from chat.runs.pool import AWAY_ERRORS, in_pool, in_writer
from chat.runs.readers import keep_checking
from chat.runs.recorder import Recorder
from chat.runs.recovery import asked_to_stop, ending_of, give_up, orphans, take_over
from chat.runs.tools.approvals import settled_among
from chat.runs.upkeep.accounts import keep_erasing
from chat.runs.upkeep.checkpoints import keep_checkpointing
from chat.runs.upkeep.packing import keep_packing
from chat.runs.upkeep.retention import keep_pruning
from chat.runs.upkeep.sealing import keep_sealing
from chat.steps import Steps

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 0.5


def watch_over(house: Engine) -> None:
    """Keep the heartbeat and look for orphaned runs, from the first call on."""
    if not house.tasks:
        house.tasks = [
            tasks.spawn(_beat(house), "heartbeat"),
            tasks.spawn(_sweep(house), "recovery"),
            tasks.spawn(keep_packing(), "packing"),
            tasks.spawn(keep_checking(), "readers"),
            tasks.spawn(keep_erasing(), "erasing"),
            tasks.spawn(keep_checkpointing(), "checkpoints"),
            tasks.spawn(keep_sealing(), "sealing"),
            tasks.spawn(keep_pruning(), "pruning"),
        ]


async def _beat(house: Engine) -> None:
    while True:
        await asyncio.sleep(HEARTBEAT_SECONDS)
        house.journal.beat(house.works)


async def _sweep(house: Engine) -> None:
    while True:
        try:
            await _stop_asked(house)
            await _wake_decided(house)
            await recover(house)
        except AWAY_ERRORS as error:  # The watch goes on when the database is back.
            logger.warning("Looking after runs waits for the database: %s", error)
        except Exception:
            logger.exception("Looking after runs failed")
        await asyncio.sleep(SWEEP_SECONDS)


async def _stop_asked(house: Engine) -> None:
    """Stop runs of ours that another process was asked to stop; a silent one writes nothing."""
    if house.works:
        for run_id in await in_pool(asked_to_stop):
            house.stop(run_id)


async def _wake_decided(house: Engine) -> None:
    """Go on with calls that somebody decided on in another process, or nobody in time."""
    if waiting := list(house.waiting_approvals):
        for tool_run_id in await in_pool(settled_among, waiting):
            if decided := house.waiting_approvals.get(tool_run_id):
                decided.set()


async def recover(house: Engine) -> None:
    """Take over each orphaned run (a guarded update: one winner) and go on with it, or end it."""
    for run_id, lease in await in_pool(orphans):
        if run_id not in house.works:
            try:
                await tasks.whole(_recover(run_id, lease, house), house)
            except AWAY_ERRORS as error:  # Somebody keeps it locked: the others go on.
                logger.warning("Run %s could not be taken over: %s", run_id, error)


async def _recover(run_id: UUID, lease: int, house: Engine) -> None:
    taken = await in_writer(take_over, run_id, lease)
    if taken is None:
        return
    run, steps = taken
    if house.is_leaving:
        await in_writer(give_up, run.pk, run.lease)
    elif ending := ending_of(run, steps):
        await _end(run, steps, ending, house)
    else:
        logger.info("Run %s had lost its process and goes on here", run.pk)
        tasks.begin(run, house, steps)


async def _end(run: AgentRun, steps: Steps, ending: ChatEvent, house: Engine) -> None:
    try:
        await Recorder(house.journal, run, steps).end(ending)
    except RunLost:
        logger.warning("Run %s was taken over by another process", run.pk)
    else:
        logger.info("Run %s had lost its process and was ended", run.pk)
