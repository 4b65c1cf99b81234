"""What a bot's pod is by its driver: image, options, resources, root filesystem and seccomp profile."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from usher_operator.kube.botrequest import BotRequestSpec, SimulationSpec
from usher_operator.kube.resources import DEFAULT_RESOURCES

Json = dict[str, Any]

BROWSER, EXEC, SIMULATED = "browser", "exec", "simulated"
# One bot in a conference of two takes 0.2 core and 400 MiB; see docs/reference/browser.md.
BROWSER_RESOURCES: Json = {
    "requests": {"cpu": "200m", "memory": "512Mi"},
    "limits": {"memory": "1Gi", "ephemeral-storage": "2Gi"},
}


@dataclass(frozen=True, kw_only=True)
class DriverSettings:
    """What the installation says of each driver. `seccomp_profile` is a file on the nodes, or empty."""

    default: str
    image: str
    default_command: tuple[str, ...]
    browser_image: str
    browser_options: Mapping[str, Any] = field(default_factory=dict)
    browser_resources: Mapping[str, Any] = field(default_factory=dict)
    browser_seccomp_profile: str = ""
    exec_options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class DriverPod:
    """A driver's part of a pod. `own` is True if nothing of what runs comes from the request: whoever may name an image
    or a command must not get what the installation gives to its own program."""

    name: str
    own: bool
    image: str
    options: Json
    resources: Json
    seccomp_profile: Json
    read_only: bool


def driver_pod(driver: str, spec: BotRequestSpec, settings: DriverSettings) -> DriverPod:
    """What that driver needs for that request."""
    browser = driver == BROWSER
    image = settings.browser_image if browser else settings.image
    own = driver == settings.default and spec.image in (None, image) and _has_own_command(spec, settings)
    return DriverPod(
        name=driver,
        own=own,
        image=spec.image or image,
        options=_options(driver, spec, settings if own else replace(settings, exec_options={})),
        resources=_browser_resources(settings) if browser else DEFAULT_RESOURCES,
        seccomp_profile=_seccomp_profile(settings.browser_seccomp_profile if browser else ""),
        # A program that driver `exec` runs may expect to write beside its own files.
        read_only=driver != EXEC,
    )


def _has_own_command(spec: BotRequestSpec, settings: DriverSettings) -> bool:
    return not spec.command or tuple(spec.command) == settings.default_command


def driver_name(spec: BotRequestSpec, *, default: str) -> str:
    """The driver of a request. One with a simulation and no driver is from before the schema asked for both."""
    return spec.driver or (SIMULATED if spec.simulation else default)


def _browser_resources(settings: DriverSettings) -> Json:
    return {kind: of | settings.browser_resources.get(kind, {}) for kind, of in BROWSER_RESOURCES.items()}


def _seccomp_profile(name: str) -> Json:
    return {"type": "Localhost", "localhostProfile": name} if name else {"type": "RuntimeDefault"}


def _options(driver: str, spec: BotRequestSpec, settings: DriverSettings) -> Json:
    if driver == EXEC:
        return _exec_options(spec, settings)
    if driver == BROWSER:
        return _browser_options(spec, settings)
    return _simulated_options(spec.simulation or SimulationSpec())


def _exec_options(spec: BotRequestSpec, settings: DriverSettings) -> Json:
    command = {"command": spec.command or list(settings.default_command)}
    return (
        command
        | dict(settings.exec_options)
        | _given(no_one_joined_s=spec.no_one_joined_timeout_seconds, everyone_left_s=spec.left_alone_timeout_seconds)
    )


def _browser_options(spec: BotRequestSpec, settings: DriverSettings) -> Json:
    return dict(settings.browser_options) | _given(
        nobody_came_s=spec.no_one_joined_timeout_seconds, alone_s=spec.left_alone_timeout_seconds
    )


def _given(**seconds: int | None) -> Json:
    return {name: value for name, value in seconds.items() if value is not None}


def _simulated_options(simulation: SimulationSpec) -> Json:
    return {
        "boot_s": simulation.boot_seconds,
        "lobby_s": simulation.lobby_seconds,
        "meeting_s": simulation.meeting_seconds,
        "leave_s": simulation.leave_seconds,
        "behaviour": simulation.behaviour_name,
        "after_s": simulation.after_seconds,
        "exit_code": simulation.exit_code,
        "participants": simulation.participants,
    }
