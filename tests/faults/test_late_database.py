"""Servers that were started before there was a database to use."""

from pathlib import Path

import httpx

from tests.servers.mcp_server import ScriptedMCPServer
from tests.servers.model_server import ScriptedModelServer
from tests.servers.site import Site
from tests.sse import ask, wait_until
from tests.start.steps import Installation


def test_they_begin_their_work_once_it_is_there(
    tmp_path: Path, model_server: ScriptedModelServer, mcp_server: ScriptedMCPServer
) -> None:
    servers = {"LLM_BASE_URL": model_server.base_url, "MCP_SERVER_URL": mcp_server.url}
    # It is asked again and again until the tools are there.
    limits = {"MAX_RUN_STARTS_PER_MINUTE": "0"}
    installation = Installation(tmp_path, **servers, **limits, STATIC_DIR=f"{tmp_path}/static")
    with (
        Site(server="daphne", **installation.environment) as daphne,
        Site(server="uvicorn", **installation.environment) as uvicorn,
    ):
        for site in (daphne, uvicorn):
            wait_until(lambda s=site: "cannot be used yet" in s.log, what="it says so")  # type: ignore[misc]
        assert installation.manage("setup").returncode == 0
        token = installation.manage("create_api_token", "admin").stdout.strip()

        headers = {"Authorization": f"Bearer {token}"}
        for site in (daphne, uvicorn):
            with httpx.Client(base_url=site.url, headers=headers, timeout=30) as api:
                wait_until(lambda a=api: calls(a) == ["ok"], 20, "tools are there")  # type: ignore[misc]
        assert "lifespan" not in uvicorn.log
        assert daphne.stop() == 0


def calls(api: httpx.Client) -> list[str]:
    seen = ask(api, '[[call echo {"text": "a"}]][[then]][[text Well.]]')
    return [frame.data["outcome"] for frame in seen if frame.event == "tool_result"]
