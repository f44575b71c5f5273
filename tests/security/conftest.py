"""The browser of the tests that need one, and what several files here need."""

from tests.browser.conftest import browser
from tests.security.admin_addresses import pages
from tests.security.signing_in import gate, mail_server

__all__ = ["browser", "gate", "mail_server", "pages"]
