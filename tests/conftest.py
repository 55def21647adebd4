"""What every test may ask for, and the only way in which one may be left out.

Rule 1: generic fixtures only; what belongs to one part of the gateway lives beside its tests.
Rule 2: a skip without `@pytest.mark.environment` is a failure (tests/environment.py).
Rule 3: hypothesis measures no time: a busy machine must not fail a property.
"""

from collections.abc import Generator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

from tests import environment

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

ALLOWED: Final = "this machine lacks "


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of this repository."""
    return environment.ROOT


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("environment"):
        for name in mark.args:
            reason = environment.lacking(name)
            if reason:
                environment.note("test", reason)
                pytest.skip(f"{ALLOWED}{name}: {reason}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and ALLOWED not in str(report.longrepr):
        _fail(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.skipped:
        _fail(report)
    return report


def _fail(report: pytest.TestReport | pytest.CollectReport) -> None:
    report.outcome = "failed"
    report.longrepr = f"a skip that hides a gap; use @pytest.mark.environment: {report.longrepr}"
