"""The ConfigMap that keeps the record of the epoch, in the operator's own namespace.

Only what is known after a restart depends on it. One that is away, gone, forbidden or full of something else is logged,
and Usher goes on with what this process has seen.
"""

import logging
from dataclasses import dataclass

from usher_models.errors import KubernetesUnavailable
from usher_operator.kube.port import Json, KubePort, WriteRefused
from usher_operator.reconcile.epoch.record import Record, Unreadable
from usher_operator.telemetry import EPOCH_RECORDS

logger = logging.getLogger(__name__)

GONE = "It is gone or may not be read: after a restart it is not known whether the database went back."
UNREADABLE = "It holds no record and is written anew"
FOREIGN = "It holds the record of another installation and is left alone; delete its data if that one is no more."


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What the ConfigMap said. `version`: of its contents; None if it must not be written."""

    record: Record | None = None
    version: str | None = None


class EpochStore:
    """Reads and writes it. Without a name there is none."""

    def __init__(self, *, kube: KubePort, namespace: str, name: str) -> None:
        self._kube = kube
        self._namespace = namespace
        self._name = name
        self._told = ""

    async def read(self) -> Stored:
        """What it says now. Raises KubernetesUnavailable."""
        if not (self._name and self._namespace):
            return Stored()
        found = await self._kube.get_config_map(self._namespace, self._name)
        if found is None:
            self._tell("gone", GONE)
            return Stored()
        return Stored(record=self._parse(found.get("data") or {}), version=found["metadata"]["resourceVersion"])

    async def replace(self, record: Record) -> bool:
        """Keep the record, unless the ConfigMap holds another installation's. True if it was kept; it never raises."""
        try:
            stored = await self.read()
            if stored.version is None:
                return False
            if stored.record is not None and stored.record.installation != record.installation:
                self._tell("foreign", FOREIGN)
                return False
            return await self._write(record, version=stored.version)
        except (KubernetesUnavailable, WriteRefused) as exc:
            EPOCH_RECORDS.labels(outcome="failed").inc()
            logger.warning("The epoch is recorded later: %s", exc, extra={"action": "epoch_not_recorded"})
            return False

    async def _write(self, record: Record, *, version: str) -> bool:
        body = {"metadata": {"resourceVersion": version}, "data": record.data()}
        written = await self._kube.patch_config_map(self._namespace, self._name, body)
        EPOCH_RECORDS.labels(outcome="written" if written else "conflict").inc()
        if written:
            self._told = ""
        return written

    def _parse(self, data: Json) -> Record | None:
        if not data:
            return None
        try:
            return Record.parse(data)
        except Unreadable as exc:
            self._tell("unreadable", f"{UNREADABLE}: {exc}")
            return None

    def _tell(self, outcome: str, sentence: str) -> None:
        EPOCH_RECORDS.labels(outcome=outcome).inc()
        if sentence != self._told:
            where = f"{self._namespace}/{self._name}"
            logger.error("The ConfigMap %s of the epoch: %s", where, sentence, extra={"action": f"epoch_{outcome}"})
        self._told = sentence
