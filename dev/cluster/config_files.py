"""Configuration files named after their content.

A component's arguments then change with its configuration, so that `up` sees that a running one is outdated;
and a file is never rewritten under a process that reads it (kube-proxy ends itself when that happens).
Old files stay until a purge; they are small.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from dev.cluster.settings import Settings


@dataclass(frozen=True)
class ConfigFile:
    """A file that a component reads at its start: `stem.suffix` and its text."""

    name: str
    text: str

    def path(self, settings: Settings) -> Path:
        stem, _, suffix = self.name.partition(".")
        digest = hashlib.sha256(self.text.encode()).hexdigest()[:8]
        return settings.state / "config" / f"{stem}-{digest}.{suffix or 'conf'}"

    def write(self, settings: Settings) -> None:
        path = self.path(settings)
        if path.exists() and path.read_text() == self.text:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.text)
