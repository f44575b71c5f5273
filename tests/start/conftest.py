"""An installation of its own, prepared by `manage.py setup`."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.prepared import migrate
from tests.start.steps import Installation, Serving


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Prepared once for a module; `printed` is what the first setup said."""
    installation = Installation(tmp_path_factory.mktemp("installation"))
    migrate(installation.environment["DATABASE_URL"])
    installation.printed = installation.manage("setup").stdout
    return installation


@pytest.fixture
def bare(tmp_path: Path) -> Installation:
    """Nothing is prepared yet."""
    return Installation(tmp_path)


@pytest.fixture
def serve(installation: Installation) -> Iterator[Callable[..., Serving]]:
    """Starts `manage.py serve`; whatever is left of it at the end is killed."""
    with ExitStack() as stack:

        def start(**environment: str) -> Serving:
            return stack.enter_context(Serving(installation, **environment))

        yield start
