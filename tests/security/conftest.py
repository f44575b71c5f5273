"""The browser of the tests that need one, and what several files here need."""

from tests.browser.conftest import browser
from tests.security.admin_addresses import pages

__all__ = ["browser", "pages"]
