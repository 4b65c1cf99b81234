"""What a BotRequest may ask of the cluster. Its owner may create no pods, so the installation decides about images,
priority, tolerations and the size of a pod."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from fnmatch import fnmatchcase

from usher_operator.kube.botrequest import BotRequestSpec, ImageNotAllowed, NotAllowed
from usher_operator.kube.resources import quantity
from usher_operator.settings import BotSettings


class AllowedSpec:
    """Checks specs against the settings of the installation."""

    def __init__(self, settings: BotSettings) -> None:
        self._settings = settings
        self._most: Mapping[str, str] = {
            "cpu": settings.bot_max_cpu,
            "memory": settings.bot_max_memory,
            "ephemeral-storage": settings.bot_max_ephemeral_storage,
        }

    @property
    def private_meeting_hosts(self) -> tuple[str, ...]:
        """Globs of private hosts whose meetings bots may join."""
        return self._settings.allowed_private_meeting_hosts

    @property
    def default_driver(self) -> str:
        """The driver of a request that names none."""
        return self._settings.default_driver

    def check(self, spec: BotRequestSpec) -> None:
        """Raises ImageNotAllowed, NotAllowed."""
        self._check_image(spec)
        self._check_priority(spec)
        self._check_tolerations(spec)
        self._check_resources(spec)

    def _check_image(self, spec: BotRequestSpec) -> None:
        allowed = (self._settings.bot_image, self._settings.browser_image, *self._settings.allowed_images)
        if spec.image and not any(image_matches(spec.image, glob) for glob in allowed):
            raise ImageNotAllowed(f"spec.image {spec.image} is not allowed here; leave it out or ask for it to be.")

    def _check_priority(self, spec: BotRequestSpec) -> None:
        name = spec.priority_class_name
        if name and name not in (self._settings.bot_priority_class, *self._settings.allowed_priority_classes):
            raise NotAllowed(f"spec.priorityClassName {name} is not allowed here; leave it out or ask for it to be.")

    def _check_tolerations(self, spec: BotRequestSpec) -> None:
        for toleration in spec.tolerations:
            key = str(toleration.get("key") or "")
            if not key:
                raise NotAllowed("spec.tolerations: name the key of the taint; one without a key tolerates all taints.")
            if not any(fnmatchcase(key, glob) for glob in self._settings.allowed_tolerations):
                raise NotAllowed(f"spec.tolerations: the taint {key} is not allowed here; ask for it to be.")

    def _check_resources(self, spec: BotRequestSpec) -> None:
        for path, name, value in _quantities(spec):
            if name in self._most and value > quantity(self._most[name]):
                raise NotAllowed(f"{path}: at most {self._most[name]} is allowed here.")


def _quantities(spec: BotRequestSpec) -> Iterator[tuple[str, str, Decimal]]:
    for kind in ("requests", "limits"):
        for name, value in ((spec.resources or {}).get(kind) or {}).items():
            path = f"spec.resources.{kind}.{name}"
            try:
                yield path, name, quantity(value)
            except ValueError as exc:
                raise NotAllowed(f"{path}: {exc}.") from exc


def image_matches(image: str, glob: str) -> bool:
    """True if `glob` covers the image. A `*` stays within one part of the path, and the registry is matched whole:
    otherwise `myorg*` would cover `myorg.evil.example/bot`."""
    registry, path = _split(image)
    glob_registry, glob_path = _split(glob)
    return (
        registry == glob_registry
        and len(path) == len(glob_path)
        and all(fnmatchcase(part, pattern) for part, pattern in zip(path, glob_path, strict=True))
    )


def _split(image: str) -> tuple[str, list[str]]:
    """The registry, empty for the default one, and the parts of the path. The first part is a registry if it has a dot
    or a port, or is localhost; that is the rule of image references."""
    first, *rest = image.split("/")
    if rest and ("." in first or ":" in first or first == "localhost"):
        return first, rest
    return "", [first, *rest]
