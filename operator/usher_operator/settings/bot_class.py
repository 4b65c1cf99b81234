"""What the installation gives its own bots beyond a BotRequest: environment from Secrets, size, nodes, volumes.

One JSON document (USHER_BOT_CLASS), which the chart makes of its `bot.*` values. Names and shapes of what goes into a
pod are those of Kubernetes.
"""

from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from usher_models.exec_options import ExecOptions, Seconds

Json = dict[str, Any]

# Volumes and mounts of every bot; a class adds to them.
OWN_VOLUMES = frozenset({"token", "shm", "tmp"})
QUANTITY = r"^([0-9]+(\.[0-9]*)?|\.[0-9]+)([numkMGTPE]|[KMGTPE]i)?$"

Quantity = Annotated[str, BeforeValidator(str), Field(pattern=QUANTITY)]


def _not_ours(entry: Json) -> Json:
    if str(entry["name"]).startswith("USHER_"):
        raise ValueError(f"{entry['name']}: Usher itself sets the variables that begin with USHER_")
    return entry


def _named(entry: Json) -> Json:
    if not isinstance(entry.get("name"), str) or not entry["name"]:
        raise ValueError("each entry needs a name")
    return entry


def _new_volume(entry: Json) -> Json:
    if entry["name"] in OWN_VOLUMES:
        raise ValueError(f"{entry['name']}: this name is taken; the others are free")
    return entry


ResourceKind = Annotated[str, Field(pattern=r"^(requests|limits)$")]
Named = Annotated[Json, AfterValidator(_named)]
EnvVar = Annotated[Named, AfterValidator(_not_ours)]
Volume = Annotated[Named, AfterValidator(_new_volume)]


class _Part(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True
    )


class ExecClass(_Part):
    """The options of the exec driver that are not the command."""

    env: dict[str, str] = {}
    config: Json = {}
    silence_seconds: Seconds | None = None
    no_one_joined_seconds: Seconds | None = None
    everyone_left_seconds: Seconds | None = None

    @model_validator(mode="after")
    def _known_to_the_bot(self) -> Self:
        ExecOptions.model_validate({"command": ["any"], **self.options()})
        return self

    def options(self) -> Json:
        """The options as the driver names them."""
        given = {
            "env": self.env or None,
            "config": self.config or None,
            "silence_s": self.silence_seconds,
            "no_one_joined_s": self.no_one_joined_seconds,
            "everyone_left_s": self.everyone_left_seconds,
        }
        return {name: value for name, value in given.items() if value is not None}


class BotClass(_Part):
    """Everything is optional. `node_selector`, `tolerations` and `affinity` are for every bot, the rest for those that
    run the installation's own program: whoever may name an image or a command must not read its Secrets."""

    env: tuple[EnvVar, ...] = ()
    env_from: tuple[Json, ...] = ()
    resources: dict[ResourceKind, dict[str, Quantity]] | None = None
    shm_size: Quantity | None = None
    run_as_user: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    volumes: tuple[Volume, ...] = ()
    volume_mounts: tuple[Named, ...] = ()
    exec: ExecClass = ExecClass()
    node_selector: dict[str, str] = {}
    tolerations: tuple[Json, ...] = ()
    affinity: Json | None = None

    @model_validator(mode="after")
    def _mounted(self) -> Self:
        known = {volume["name"] for volume in self.volumes}
        for mount in self.volume_mounts:
            if mount["name"] not in known:
                raise ValueError(f"volumeMounts: there is no volume {mount['name']}")
        return self
