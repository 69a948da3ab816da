"""With LABKIT_CI=1 a skipped test is a failed one: on CI nothing that a test needs may be missing."""

from __future__ import annotations

import os

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("LABKIT_CI") == "1":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"skipped, which LABKIT_CI=1 forbids: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector):
    report = yield
    if report.skipped and os.environ.get("LABKIT_CI") == "1":
        report.outcome = "failed"
        report.longrepr = f"a whole module was skipped, which LABKIT_CI=1 forbids: {report.longrepr}"
    return report
