"""docs/reference/bot.md names everything there is: settings, exit codes, reasons, behaviours."""

from pathlib import Path
from typing import get_args

import pytest

from usher_bot import exit_codes
from usher_bot.drivers.exec.config import PASSED_ON
from usher_bot.drivers.simulated import Behaviour, SimulatedOptions
from usher_bot.exit_codes import BotReason, ExitCode, Outcome
from usher_bot.settings import PREFIX, Settings
from usher_models.exec_options import ExecOptions

DOCS = Path(__file__).parents[3] / "docs" / "reference" / "bot.md"
TABLES = [line for line in DOCS.read_text().splitlines() if line.startswith("|")]


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented_with_its_default(name: str) -> None:
    (row,) = [line for line in TABLES if f"`{PREFIX}{name.upper()}`" in line.split("|")[1]]
    field = Settings.model_fields[name]
    default = row.split("|")[3].strip().strip("`")
    if field.is_required():
        assert default == "required"
    elif field.default not in (None, {}):
        assert default == str(field.default)


@pytest.mark.parametrize("reason", BotReason)
def test_every_reason_of_the_bot_is_documented(reason: BotReason) -> None:
    assert any(f"`{reason}`" in line for line in TABLES)


@pytest.mark.parametrize("outcome", [one for one in vars(exit_codes).values() if isinstance(one, Outcome)])
def test_every_outcome_is_documented_with_its_exit_code(outcome: Outcome) -> None:
    assert any(line.startswith(f"| {int(outcome.exit_code)} | `{outcome.reason}`") for line in TABLES)


@pytest.mark.parametrize("code", ExitCode)
def test_every_exit_code_has_a_sentence_and_a_row(code: ExitCode) -> None:
    assert code.sentence.endswith(".")
    assert any(line.startswith(f"| {int(code)} |") for line in TABLES)


@pytest.mark.parametrize("behaviour", get_args(Behaviour))
def test_every_behaviour_is_documented(behaviour: str) -> None:
    assert any(line.startswith(f"| `{behaviour}` |") for line in TABLES)


@pytest.mark.parametrize("name", [*SimulatedOptions.model_fields, *ExecOptions.model_fields])
def test_every_option_of_the_drivers_is_documented(name: str) -> None:
    assert f'"{name}": ' in DOCS.read_text()


@pytest.mark.parametrize(("field", "variable"), PASSED_ON.items())
def test_every_variable_that_is_passed_on_is_documented(field: str, variable: str) -> None:
    assert any(f"`{variable}`" in line and f"`{field}`" in line for line in TABLES)
