"""What tests of providers share."""

from collections.abc import AsyncIterator

import httpx
import pytest

from chat.providers.http import create_http_client


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncBaseTransport]:
    async with create_http_client() as client:
        yield client
