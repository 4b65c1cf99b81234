"""The resources of a bot: always with limits, and never a pair that Kubernetes would refuse."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher_operator.kube.resources import DEFAULT_RESOURCES, quantity, with_defaults

QUANTITIES = st.sampled_from(["1", "1m", "100m", "8", "1Mi", "64Mi", "512Mi", "4Gi", "1G", "2e3", 3])
PARTS = st.dictionaries(st.sampled_from(["cpu", "memory", "ephemeral-storage", "nvidia.com/gpu"]), QUANTITIES)


@pytest.mark.parametrize(
    ("text", "number"),
    [("500m", 0.5), ("2", 2), ("1Ki", 1024), ("1.5Gi", 1.5 * 1024**3), ("1k", 1000), ("2e3", 2000), (".5", 0.5)],
)
def test_a_quantity_is_the_number_that_it_means(text: str, number: float) -> None:
    assert float(quantity(text)) == number


@pytest.mark.parametrize("text", ["", "x", "1Kb", "-1", "1 Gi", "1e", "1e999999999", "1e-999999999"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        quantity(text)


@given(requests=PARTS, limits=PARTS)
def test_there_is_always_a_limit_of_memory_and_disk_and_it_covers_the_request(
    requests: dict[str, Any], limits: dict[str, Any]
) -> None:
    asked = {"requests": {k: v for k, v in requests.items() if quantity(v) <= quantity(limits.get(k, v))}}
    found = with_defaults(asked | {"limits": limits})
    assert {"memory", "ephemeral-storage"} <= found["limits"].keys()
    assert found["limits"] | limits == found["limits"]
    for name, limit in found["limits"].items():
        assert quantity(found["requests"].get(name, 0)) <= quantity(limit)


def test_without_any_wish_the_defaults_apply() -> None:
    assert with_defaults(None) == DEFAULT_RESOURCES


def test_a_request_without_a_limit_keeps_the_default_limit() -> None:
    found = with_defaults({"requests": {"cpu": "10m"}})
    assert (found["requests"]["cpu"], found["limits"]["memory"]) == ("10m", "512Mi")
