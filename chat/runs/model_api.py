"""The language model as the settings describe it."""

import httpx
from django.conf import settings

from chat.agent.ports import Provider
from chat.providers.check import Findings, check
from chat.providers.factory import create_provider
from chat.providers.http import create_http_client
from chat.providers.watchdog import Timeouts

CHECK_SECONDS = 12


def configured_provider(
    model_name: str,
    http_client: httpx.AsyncBaseTransport,
    *,
    timeouts: Timeouts | None = None,
) -> Provider:
    """Raises ConfigurationError."""
    return create_provider(
        settings.LLM_PROVIDER,
        base_url=settings.LLM_BASE_URL,
        api_key=settings.LLM_API_KEY,
        model_name=model_name,
        http_client=http_client,
        timeouts=timeouts or configured_timeouts(),
    )


async def check_model(model_name: str) -> Findings:
    """Ask the model a tiny question, at most CHECK_SECONDS long."""
    if settings.LLM_PROVIDER == "demo":
        return Findings(is_demo=True)
    timeouts = configured_timeouts()
    short = Timeouts(
        connect=min(timeouts.connect, CHECK_SECONDS / 2),
        first_token=min(timeouts.first_token, CHECK_SECONDS),
        idle=min(timeouts.idle, CHECK_SECONDS),
        total=CHECK_SECONDS,
    )
    async with create_http_client() as http:
        return await check(configured_provider(model_name, http, timeouts=short))


def configured_timeouts() -> Timeouts:
    return Timeouts(
        connect=settings.LLM_CONNECT_TIMEOUT_SECONDS,
        first_token=settings.LLM_FIRST_TOKEN_TIMEOUT_SECONDS,
        idle=settings.LLM_IDLE_TIMEOUT_SECONDS,
        total=settings.LLM_TOTAL_TIMEOUT_SECONDS,
    )
