"""The explorer's command and a browser, started once for all tests of the page."""

import pytest

from tests.experiments.explorer.browser import browser, explorer, programs


@pytest.fixture(scope="session")
def explorer_site():
    programs()
    with explorer("--port", "0") as site:
        yield site


@pytest.fixture(scope="session")
def explorer_window(explorer_site, tmp_path_factory):
    with browser(explorer_site, tmp_path_factory.mktemp("saved")) as window:
        yield window


@pytest.fixture
def page(explorer_window):
    """The browser; at the end nothing may have gone wrong, or gone elsewhere."""
    explorer_window.errors()
    yield explorer_window
    assert explorer_window.errors() == []
    names = "performance.getEntriesByType('resource').map((e) => e.name)"
    addresses = explorer_window.js(f"return {names}")
    assert addresses
    own = explorer_window.site.address
    assert [a for a in addresses if not a.startswith(own)] == []
