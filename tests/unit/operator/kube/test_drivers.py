"""What a pod is by its driver, and above all a browser's: image, options, resources and sandbox."""

from typing import Any

import pytest

from tests.fakes.bots import a_bot_row
from tests.unit.operator.kube.test_job import built, container_of, driver_options, env_of, pod_of, with_spec
from usher_bot.drivers.browser.options import BrowserOptions

IMAGES: dict[str, Any] = {"bot_image": "usher.dev/bot:v1", "browser_image": "usher.dev/bot-browser:v1"}


def test_a_request_that_names_no_driver_gets_a_browser() -> None:
    job = built(**IMAGES)
    assert env_of(job)["USHER_DRIVER"] == "browser"
    assert container_of(job)["image"] == "usher.dev/bot-browser:v1"


@pytest.mark.parametrize(("driver", "image"), [("exec", "bot"), ("simulated", "bot"), ("browser", "bot-browser")])
def test_the_image_follows_the_driver(driver: str, image: str) -> None:
    job = built(with_spec(driver=driver), **IMAGES)
    assert container_of(job)["image"] == f"usher.dev/{image}:v1"


def test_the_driver_is_the_one_that_was_noted_with_the_reservation() -> None:
    bot = a_bot_row(config=a_bot_row().config | {"driver": "simulated"})
    assert env_of(built(bot, default_driver="browser"))["USHER_DRIVER"] == "simulated"


def test_a_request_with_a_simulation_and_no_driver_is_simulated() -> None:
    assert env_of(built(with_spec(simulation={"bootSeconds": 0})))["USHER_DRIVER"] == "simulated"


def test_a_browser_gets_the_options_of_the_installation_and_the_limits_of_its_request() -> None:
    options = {"silence_s": 600, "alone_s": 60}
    job = built(with_spec(noOneJoinedTimeoutSeconds=300, leftAloneTimeoutSeconds=30), browser_options=options)
    assert driver_options(job) == {"silence_s": 600, "alone_s": 30, "nobody_came_s": 300}
    assert BrowserOptions.model_validate(driver_options(job)).alone_s == 30


def test_a_browser_has_room_for_its_pages() -> None:
    resources = container_of(built())["resources"]
    assert resources == {
        "requests": {"cpu": "200m", "memory": "512Mi"},
        "limits": {"memory": "1Gi", "ephemeral-storage": "2Gi"},
    }


def test_the_installation_and_the_request_size_a_browser() -> None:
    larger = {"requests": {"cpu": "1"}, "limits": {"memory": "2Gi"}}
    resources = container_of(built(browser_resources=larger))["resources"]
    assert resources["requests"] == {"cpu": "1", "memory": "512Mi"}
    assert resources["limits"] == {"memory": "2Gi", "ephemeral-storage": "2Gi"}
    asked = built(with_spec(resources={"limits": {"memory": "3Gi"}}), browser_resources=larger)
    assert container_of(asked)["resources"]["limits"]["memory"] == "3Gi"


@pytest.mark.parametrize(
    ("driver", "profile"),
    [
        ("browser", {"type": "Localhost", "localhostProfile": "usher/chromium.json"}),
        ("exec", {"type": "RuntimeDefault"}),
        ("simulated", {"type": "RuntimeDefault"}),
    ],
)
def test_only_a_browser_gets_the_profile_of_the_nodes(driver: str, profile: dict[str, Any]) -> None:
    job = built(with_spec(driver=driver), browser_seccomp_profile="usher/chromium.json")
    assert pod_of(job)["securityContext"] == {"runAsNonRoot": True, "seccompProfile": profile}
