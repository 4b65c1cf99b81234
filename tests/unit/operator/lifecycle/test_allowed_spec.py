"""What a BotRequest may ask of the cluster, and what it may not."""

from typing import Any

import pytest

from tests.fakes.objects import a_botrequest
from tests.fakes.settings import some_settings
from usher_models.errors import Refused
from usher_operator.kube.botrequest import BotRequest, ImageNotAllowed, NotAllowed
from usher_operator.lifecycle.allowed_spec import AllowedSpec, image_matches


def check(settings: dict[str, Any] | None = None, **spec: Any) -> None:
    AllowedSpec(some_settings(**settings or {})).check(BotRequest.from_object(a_botrequest(**spec)).spec())


def refusal(settings: dict[str, Any] | None = None, **spec: Any) -> str:
    with pytest.raises(Refused) as refused:
        check(settings, **spec)
    assert isinstance(refused.value, ImageNotAllowed | NotAllowed)
    return str(refused.value)


def test_a_plain_request_is_allowed() -> None:
    check()
    check(image="usher.dev/bot:dev", resources={"limits": {"memory": "2Gi"}})


@pytest.mark.parametrize(
    ("image", "glob", "matches"),
    [
        ("example.org/bots/scribe:1", "example.org/bots/*", True),
        ("example.org/bots/scribe@sha256:0", "example.org/bots/scribe*", True),
        ("example.org/bots/evil/scribe:1", "example.org/bots/*", False),
        ("example.org.evil/bots/scribe:1", "example.org/bots/*", False),
        ("EXAMPLE.org/bots/scribe:1", "example.org/bots/*", False),
        ("myorg.evil.example/x", "myorg*", False),
        ("myorg.evil.example/x", "myorg*/*", False),
        ("evil.example/bot", "*/bot", False),
        ("myorg/bot:1", "*/bot:?", True),
        ("myorgbot:1", "myorg*", True),
        ("localhost/bot", "*/bot", False),
        ("evil:5000/bot", "evil*/bot", False),
    ],
)
def test_a_star_stays_within_one_part_and_the_registry_is_matched_whole(image: str, glob: str, matches: bool) -> None:
    assert image_matches(image, glob) is matches


def test_an_image_that_no_glob_covers_is_refused() -> None:
    assert "spec.image example.org/bot:1" in refusal(image="example.org/bot:1")
    check({"allowed_images": ("example.org/*",)}, image="example.org/bot:1")


@pytest.mark.parametrize("name", ["system-node-critical", "system-cluster-critical", "high"])
def test_a_priority_class_that_was_not_allowed_is_refused(name: str) -> None:
    assert f"spec.priorityClassName {name}" in refusal(priorityClassName=name)


def test_the_installations_own_priority_class_and_the_listed_ones_are_allowed() -> None:
    check({"bot_priority_class": "usher-bots"}, priorityClassName="usher-bots")
    check({"allowed_priority_classes": ("high",)}, priorityClassName="high")


@pytest.mark.parametrize("toleration", [{"operator": "Exists"}, {"key": "", "operator": "Exists"}])
def test_a_toleration_of_every_taint_is_refused_whatever_is_allowed(toleration: dict[str, Any]) -> None:
    assert "without a key" in refusal({"allowed_tolerations": ("*",)}, tolerations=[toleration])


def test_a_toleration_of_a_taint_that_was_not_allowed_is_refused() -> None:
    control_plane = {"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}
    bots = {"key": "bots.example.org/only", "operator": "Exists"}
    settings = {"allowed_tolerations": ("bots.example.org/*",)}
    check(settings, tolerations=[bots])
    assert "node-role.kubernetes.io/control-plane" in refusal(settings, tolerations=[bots, control_plane])
    assert "bots.example.org/only" in refusal(tolerations=[bots])


@pytest.mark.parametrize("kind", ["requests", "limits"])
@pytest.mark.parametrize(("name", "value"), [("memory", "9Gi"), ("cpu", "8001m"), ("ephemeral-storage", "1Ti")])
def test_more_than_the_most_is_refused(kind: str, name: str, value: str) -> None:
    assert f"spec.resources.{kind}.{name}: at most" in refusal(resources={kind: {name: value}})


def test_what_is_no_quantity_is_refused_with_its_field() -> None:
    assert "spec.resources.limits.memory: 'much' is not a quantity." in refusal(
        resources={"limits": {"memory": "much"}}
    )
