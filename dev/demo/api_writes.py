"""Usher's writes to the API server in one bot's life, counted from the API server's own audit log.

Only Usher's ServiceAccounts are counted, and only what names the BotRequest, its Job, or an Event about it.
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dev.demo.kubectl import SYSTEM, cluster

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


def count_writes(request: str, *, job: str) -> list[str]:
    """A line for each kind of write in the newest life of `request`, and their sum."""
    counts = writes_of(request, job=job)
    total = sum(counts.values())
    return [*(f"{count} x {what}" for what, count in sorted(counts.items())), f"{total} in all"]


def writes_of(request: str, *, job: str) -> Counter[str]:
    """How often Usher wrote what, in the newest life of `request`, which ran as `job`."""
    counts: Counter[str] = Counter()
    for entry in _entries(Path(cluster("audit-log").strip())):
        if not entry["user"]["username"].startswith(f"system:serviceaccount:{SYSTEM}:") or entry["verb"] not in WRITES:
            continue
        ref = entry["objectRef"]
        name = ref.get("name") or ""
        if ref["resource"] == "jobs" and name == job and entry["verb"] == "create":
            # A Job's creation begins a life: what came before was another's of the same name.
            counts = Counter()
        if name in (job, request) or name.startswith(f"{request}."):
            counts["/".join(filter(None, (entry["verb"], ref["resource"], ref.get("subresource"))))] += 1
    return counts


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    with path.open() as log:
        for line in log:
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # the line that is being written
            if entry.get("stage") == "ResponseComplete" and "objectRef" in entry:
                yield entry
