"""A provider by its name. A new one is one new file and one line here."""

from collections.abc import Callable

import httpx

from chat.agent.ports import Provider
from chat.errors import ConfigurationError
from chat.providers.demo import DemoProvider
from chat.providers.openai import OpenAIProvider
from chat.providers.watchdog import Timeouts


def create_provider(
    kind: str,
    *,
    base_url: str,
    api_key: str,
    model_name: str,
    http_client: httpx.AsyncBaseTransport,
    timeouts: Timeouts | None = None,
    on_bytes: Callable[[bytes], None] | None = None,
) -> Provider:
    """`kind`: "openai" (any compatible API) or "demo". Raises ConfigurationError."""
    match kind:
        case "demo":
            return DemoProvider(model_name=model_name)
        case "openai":
            return OpenAIProvider(
                base_url=base_url,
                api_key=api_key,
                model_name=model_name,
                http_client=http_client,
                timeouts=timeouts,
                on_bytes=on_bytes,
            )
        case _:
            raise ConfigurationError(f"There is no provider named {kind!r}.")
