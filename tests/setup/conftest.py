from __future__ import annotations

import pytest

from tests.setup.mini_clone import MiniClone


@pytest.fixture(scope="module")
def finished_clone(tmp_path_factory: pytest.TempPathFactory) -> MiniClone:
    """A clone that is set up. Tests that break it repair it again."""
    clone = MiniClone(tmp_path_factory.mktemp("setup") / "clone")
    result = clone.set_up()
    assert result.returncode == 0, result.stdout + result.stderr
    return clone
