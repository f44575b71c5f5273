"""The browser of the tests that need one."""

from tests.browser.conftest import browser

__all__ = ["browser"]
