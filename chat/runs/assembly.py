"""An agent outside of any request: for scripts, notebooks and `manage.py ask`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Self

from django.conf import settings

from chat.agent.streaming import StreamingChatAgent
from chat.mcp.config import ServerConfig
from chat.mcp.hub import Hub
from chat.providers.factory import create_provider
from chat.providers.http import create_http_client
from chat.runs.model_api import configured_timeouts


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentConfig:
    """What an agent is made of. The defaults of `from_settings` are those of the site."""

    provider: str
    model_name: str
    base_url: str = ""
    api_key: str = field(default="", repr=False)
    servers: Sequence[ServerConfig] = ()
    system_prompt: str = ""
    max_iterations: int = 10
    context_tokens: int = 0
    on_bytes: Callable[[bytes], None] | None = field(default=None, repr=False)

    @classmethod
    def from_settings(cls, *, model_name: str = "", system_prompt: str = "") -> Self:
        return cls(
            provider=settings.LLM_PROVIDER,
            model_name=model_name or settings.LLM_MODEL,
            base_url=settings.LLM_BASE_URL,
            api_key=settings.LLM_API_KEY,
            servers=configured_servers(),
            system_prompt=system_prompt,
            max_iterations=settings.MAX_TOOL_ITERATIONS,
            context_tokens=settings.LLM_CONTEXT_TOKENS,
        )


def configured_servers() -> list[ServerConfig]:
    """The servers that the deployment configured; those added in the admin are rows."""
    key = settings.MCP_API_KEY
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    named = [
        ("demo", "Demo tools", settings.DEMO_MCP_URL, {}),
        ("main", "Tools", settings.MCP_SERVER_URL, headers),
    ]
    return [
        ServerConfig(
            slug=slug,
            name=name,
            url=url,
            headers=own,
            may_be_private=True,
            call_timeout_seconds=settings.TOOL_TIMEOUT_SECONDS,
            call_total_seconds=settings.TOOL_TOTAL_TIMEOUT_SECONDS,
        )
        for slug, name, url, own in named
        if url
    ] + list(settings.MCP_CONFIG_SERVERS)


class StandaloneAgent(StreamingChatAgent):
    """An agent that owns its connections: close it, or use it in an `async with`."""

    def __init__(self, config: AgentConfig) -> None:
        self._http = create_http_client()
        self._hub = Hub()
        self._hub.configure(config.servers)
        provider = create_provider(
            config.provider,
            base_url=config.base_url,
            api_key=config.api_key,
            model_name=config.model_name,
            http_client=self._http,
            timeouts=configured_timeouts(),
            on_bytes=config.on_bytes,
        )
        super().__init__(
            provider,
            self._hub.open_toolbox(),
            max_iterations=config.max_iterations,
            context_tokens=config.context_tokens,
            system_prompt=config.system_prompt,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._hub.aclose()
        await self._http.aclose()


async def create_agent(config: AgentConfig | None = None) -> StandaloneAgent:
    """An agent with its provider and MCP servers, from `config` or from the settings.

    Raises ConfigurationError. Nothing is stored: that is what runs are for.
    """
    return StandaloneAgent(config or AgentConfig.from_settings())
