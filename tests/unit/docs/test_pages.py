"""Pages that are made from code are as `make docs` writes them."""

import pytest

from dev.docs import chart_values, metrics, pages, settings, site
from dev.docs.markdown import table
from usher_operator.settings import Settings


@pytest.mark.parametrize("name", pages.PAGES)
def test_a_generated_page_is_up_to_date(name: str) -> None:
    assert (site.DOCS / name).read_text() == pages.PAGES[name](), "run `make docs`"


def test_a_cell_holds_no_line_break_and_no_bar_of_its_own() -> None:
    assert table(["a"], [["x |\n y"]]) == "| a |\n| --- |\n| x \\| y |\n\n"


def test_every_setting_is_in_one_group_of_the_settings_page() -> None:
    grouped = [name for group in settings.groups() for name in group.model_fields]
    assert sorted(grouped) == sorted(Settings.model_fields)


def test_every_setting_and_value_has_a_meaning() -> None:
    for page in (settings.page(), chart_values.page()):
        assert not [row for row in page.splitlines() if row.startswith("| `") and row.endswith("|  |")]


def test_every_metric_has_a_sentence() -> None:
    for metric in metrics.metrics():
        (family,) = metric.describe()
        assert family.documentation.endswith("."), family.name


def test_every_failure_mode_says_what_it_repairs() -> None:
    assert metrics.modes()
    for name, said in metrics.modes().items():
        assert said.endswith("."), name
