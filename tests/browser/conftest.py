"""One Chromium for all browser tests of a run."""

from __future__ import annotations

import pytest

from tests.browser.harness import browser


@pytest.fixture(scope="session")
def chromium():
    with browser() as running:
        yield running
