"""What a server may list: how much of it is looked at, and what of it is kept."""

import json
import time

import mcp.types
import pytest

from chat.mcp.health import ServerHealth
from chat.mcp.hub import Hub
from chat.mcp.listing import (
    BAD_NAME,
    LONG_NAME,
    MAX_CHARACTERS,
    MAX_LISTING_CHARACTERS,
    NOT_STORABLE,
    TOO_LARGE,
    TOO_MUCH,
    Listing,
)
from chat.mcp.vetting import MAX_LISTED
from tests.mcp.steps import HeldUp, config, toolbox_of
from tests.mcp.test_discovery import definition
from tests.servers.bare_mcp_server import BareMCPServer

LONG = "x" * (MAX_CHARACTERS + 1)


def tool(name: str, **values: object) -> mcp.types.Tool:
    return mcp.types.Tool.model_validate(definition(name, **values))


@pytest.mark.parametrize(
    "values",
    [
        {"description": LONG},
        {"title": LONG},
        {"outputSchema": {"type": "object", "description": LONG}},
        {"annotations": {"title": LONG}},
        {"inputSchema": {"type": "object", "description": LONG}},
        {"inputSchema": {"type": "object", "allOf": [{}] * 10_000}},
        {"inputSchema": {"type": "object", "anyOf": [True] * 10_000}},
    ],
)
def test_a_definition_that_is_too_large_anywhere_is_set_aside_alone(
    values: dict[str, object],
) -> None:
    began = time.monotonic()

    catalog = Listing().add([tool("large", **values), tool("ok")]).catalog()

    assert [found.name for found in catalog.definitions] == ["ok"]
    assert catalog.set_aside == {"large": TOO_LARGE}
    # Looked at, those of 10,000 parts took 1.3 s.
    assert time.monotonic() - began < 1


def test_all_that_is_kept_of_a_server_is_bounded_on_however_many_pages_it_comes() -> None:
    listing = Listing()
    for page in range(40):
        listing.add(tool(f"t{page}-{number}", description="x" * 60_000) for number in range(5))

    catalog = listing.catalog()

    kept = sum(len(json.dumps(found.model_dump())) for found in catalog.definitions)
    assert 0.9 * MAX_LISTING_CHARACTERS < kept < 1.1 * MAX_LISTING_CHARACTERS
    assert set(catalog.set_aside.values()) == {TOO_MUCH}


def test_so_are_the_schemas_that_have_to_be_looked_at() -> None:
    wide = [
        tool(
            f"t{number}",
            inputSchema={"type": "object", "allOf": [{"$comment": str(number)}] * 1900},
        )
        for number in range(30)
    ]

    catalog = Listing().add(wide).catalog()

    assert len(catalog.definitions) == 10
    assert set(catalog.set_aside.values()) == {TOO_MUCH}


@pytest.mark.parametrize(
    ("name", "shown", "why"),
    [
        ("a\x00b", "a\ufffdb", BAD_NAME),
        ("a\nFAKE b", "a FAKE b", BAD_NAME),
        ("send\u202email\u200b", "sendmail", BAD_NAME),
        ("\x1b", "a tool without a name", BAD_NAME),
        ("y" * 300, "y" * 200, LONG_NAME),
    ],
)
def test_what_is_said_of_an_odd_name_can_be_shown_and_stored(
    name: str, shown: str, why: str
) -> None:
    catalog = Listing().add([tool(name), tool("ok")], broken=["left out"]).catalog()

    assert [found.name for found in catalog.definitions] == ["ok"]
    assert catalog.set_aside[shown] == why


def test_a_name_that_is_shown_like_a_usable_one_hides_nothing_of_it() -> None:
    catalog = Listing().add([tool("ok\u200b"), tool("ok")]).catalog()

    assert list(catalog.fingerprints) == ["ok"]
    assert not catalog.set_aside
    assert Listing().add([tool("nul", description="a\x00b")]).catalog().set_aside == {
        "nul": NOT_STORABLE
    }


async def test_a_list_that_is_too_long_is_refused_on_one_page_as_on_many(
    hub: Hub, heard: list[ServerHealth]
) -> None:
    with BareMCPServer([definition(f"t{number}") for number in range(MAX_LISTED + 500)]) as server:
        hub.configure([config(server.url, wait_seconds=10)])
        await hub.open_toolbox().discover()

    assert heard[-1].reason == "its list of tools is too long"


async def test_a_server_with_megabytes_of_descriptions_holds_up_nobody(hub: Hub) -> None:
    many = [definition(f"t{number}", description="\u00e9" * 500_000) for number in range(24)]
    with BareMCPServer([definition("ok"), *many]) as server:
        server.page_size = 3
        async with HeldUp() as held:
            toolbox = await toolbox_of(hub, config(server.url))

    assert toolbox.find("ok")
    assert len(hub.health()[0].catalog.set_aside) == 24
    assert held.longest < 0.2
