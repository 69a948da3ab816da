"""One Chromium for all browser tests, and one JupyterLab with the whole course for those of a module."""

from __future__ import annotations

import shutil

import pytest

from tests.browser.harness import REPOSITORY, browser, lab_environment, lab_server


@pytest.fixture(scope="session")
def chromium():
    with browser() as running:
        yield running


@pytest.fixture(scope="module")
def course_server(tmp_path_factory, chromium, small_model, pytestconfig):
    """The course as a learner has it, with the model in the cache and the hub out of reach."""
    state = tmp_path_factory.mktemp("lab")
    course = state / "course"
    course.mkdir()
    for notebook in (REPOSITORY / "course").glob("*.ipynb"):
        shutil.copy(notebook, course)
    environment = lab_environment(
        state,
        LABKIT_QUICK="1",
        LABKIT_CACHE=str(pytestconfig.cache.mkdir("labkit-models")),
        HF_ENDPOINT="http://127.0.0.1:9",
    )
    with lab_server(course, state, env=environment) as running:
        yield running
