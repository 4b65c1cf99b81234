"""Every page that is made from code: where it stands under docs/, and what makes it."""

from collections.abc import Callable, Mapping

from dev.docs import botrequest, browser_cases, chart_values, cli, conformance, metrics, reasons, rest_api, settings

PAGES: Mapping[str, Callable[[], str]] = {
    "reference/botrequest.md": botrequest.page,
    "reference/rest-api.md": rest_api.page,
    "reference/reasons.md": reasons.page,
    "reference/metrics-and-alerts.md": metrics.page,
    "reference/settings.md": settings.page,
    "reference/chart-values.md": chart_values.page,
    "reference/cli.md": cli.page,
    "reference/browser-cases.md": browser_cases.page,
    "reference/conformance.md": conformance.page,
}
