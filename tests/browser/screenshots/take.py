"""Takes pictures of every page and state, light and dark, from a phone to a wide screen.

`make screenshots` runs this; no test does. All of them go to docs/screenshots/all, which is not
kept; those of the README are copied beside it.
"""

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.async_api import Page

from chat.mcp.demo.process import start_demo_server
from chat.models import ACTIVE_STATUSES, AgentRun, Conversation, MCPServer
from tests.browser.conftest import NewContext
from tests.browser.screenshots.outside import SCENES
from tests.browser.screenshots.questions import OTHERS, SCRIPTS
from tests.browser.screenshots.scenes import SIZES, Scene, Stage
from tests.faults.proxy import Proxy
from tests.people import Person
from tests.servers.asking_mcp_server import AskingMCPServer
from tests.servers.model_server import ScriptedModelServer
from tests.servers.site import ROOT, Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

FOLDER = ROOT / "docs" / "screenshots"
# What the scenes themselves provoke on the browser's console.
MEANT = "ailed"
SHOTS = [
    pytest.param(scene, language, id=f"{scene.name}-{language}")
    for scene in SCENES
    for language in scene.languages
]
KEPT = (
    *("chat-1600-light", "chat-1280-dark", "chat-375-light", "empty-1280-light"),
    "admin-tool-runs-1280-light",
)


@pytest.fixture(scope="module")
def sailing(site: Site, model_server: ScriptedModelServer) -> Iterator[Site]:
    """A site with the demo tools, and a model that knows its lines."""
    model_server.scripts |= SCRIPTS
    demo = start_demo_server()
    assert demo
    with Site(
        LLM_BASE_URL=model_server.base_url,
        LLM_MODEL="north-sea-8b",
        LLM_MODELS="north-sea-8b,baltic-large",
        DEMO_MCP_URL=demo.url,
        DRAIN_SECONDS="0",
        # Nobody follows them here: that there are such is enough for the pages to say so.
        EMAIL_URL="smtp://127.0.0.1:1",
        OIDC_NAME="Harbour",
        OIDC_SERVER_URL="http://127.0.0.1:1",
        OIDC_CLIENT_ID="ferryline",
        OIDC_CLIENT_SECRET="unused",
    ) as running:
        yield running
    demo.process.kill()
    demo.process.communicate()


@pytest.fixture(scope="module")
def mira(sailing: Site) -> Iterator[Person]:
    """Somebody with a name and a past."""
    with Person("mira", sailing, is_staff=True) as person:
        person.user.username = "mira"
        person.user.first_name, person.user.last_name = "Mira", "Okafor"
        person.user.save()
        now = timezone.now()
        Conversation.objects.bulk_create(
            Conversation(owner=person.user, title=title, updated_at=now - timedelta(days=days))
            for title, days in OTHERS
        )
        Conversation.objects.create(
            owner=person.user, title="Ferry fares of last year", archived_at=now
        )
        yield person


@pytest.fixture(scope="module")
def asking() -> Iterator[AskingMCPServer]:
    with AskingMCPServer("harbour-office") as server:
        yield server


@pytest.fixture
def harbour_office(
    mira: Person, asking: AskingMCPServer, add_server: Callable[..., MCPServer]
) -> MCPServer:
    return add_server(mira, asking.url, slug="harbour")


@pytest.fixture
def tidy(mira: Person) -> Iterator[None]:
    """What a scene begins is not on the next picture."""
    before = list(mira.user.conversations.values_list("pk", flat=True))
    yield
    begun = Conversation.objects.of(mira.user).exclude(pk__in=before)
    for run in AgentRun.objects.filter(conversation__in=begun, status__in=ACTIVE_STATUSES):
        mira.api.post(f"/api/runs/{run.pk}/cancellations/")
    begun.update(deleted_at=timezone.now())


@pytest.fixture
def proxy(sailing: Site) -> Iterator[Proxy]:
    with Proxy(sailing.port) as running:
        yield running


@pytest.mark.parametrize(("scene", "language"), SHOTS)
async def test_pictures(
    scene: Scene,
    language: str,
    sailing: Site,
    mira: Person,
    harbour_office: MCPServer,
    tidy: None,
    proxy: Proxy,
    session_of: Callable[[Person], dict[str, object]],
    new_context: NewContext,
) -> None:
    session = session_of(mira) if scene.is_signed_in else None
    context = await new_context(
        session=session,
        base_url=sailing.url,
        viewport=SIZES[1280],
        may_complain_of=MEANT,
        reduced_motion="reduce",
        locale=language,
    )
    page = await context.new_page()
    await scene.play(Stage(page=page, proxy=proxy, port=sailing.port, language=language))
    name = scene.name if language == "en" else f"{scene.name}-{language}"
    for width in scene.widths:
        await page.set_viewport_size(SIZES[width])  # type: ignore[arg-type]
        for colours in ("light", "dark"):
            await picture(page, f"{name}-{width}-{colours}", colours)


async def picture(page: Page, name: str, colours: str) -> None:
    await page.emulate_media(color_scheme=colours)  # type: ignore[arg-type]
    await page.evaluate("document.fonts.ready")
    path = FOLDER / "all" / f"{name}.png"
    await page.screenshot(path=path, animations="disabled", caret="hide")
    if name in KEPT:
        shutil.copy(path, FOLDER / Path(path).name)
