"""Evidence without a cluster, for tests of those that show it."""

import time
from datetime import UTC, datetime

from tests.fakes.kube import FakeKube
from tests.fakes.settings import some_settings
from tests.scenario import Scenario
from usher_models.db.leader_lock import UNFENCED
from usher_operator.lifecycle.evidence.collector import EvidenceCollector


async def collect(given: Scenario) -> None:
    """Collect all that is due; Kubernetes has nothing of it any more."""
    collector = EvidenceCollector(
        database=given.database,
        kube=FakeKube(),
        fence=UNFENCED,
        settings=some_settings(),
        now=lambda: datetime.now(UTC),
        clock=time.monotonic,
    )
    await collector.collect_due()
