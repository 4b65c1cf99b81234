"""What every test shares: how hypothesis works here, and the table of figures at the end of a run."""

import os

import pytest
from hypothesis import HealthCheck, settings

# A deadline per example fails on a busy machine for no fault of the code; pytest's timeout guards the whole test.
# CI repeats the same examples, so that a failure there is one of the change; everybody else explores.
settings.register_profile(
    "usher", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("usher")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests noted with `record_property`: the measured figures behind the promises."""
    reports = [report for key in ("passed", "failed") for report in terminalreporter.getreports(key)]
    figures = [(report.nodeid, report.user_properties) for report in reports if report.user_properties]
    if figures:
        terminalreporter.section("figures")
    for nodeid, properties in figures:
        terminalreporter.line(nodeid)
        width = max(len(name) for name, _ in properties)
        for name, value in properties:
            terminalreporter.line(f"  {name:{width}}  {value}")
