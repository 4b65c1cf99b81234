"""What a browser bot costs: `make browser-cost`, in a pod of the local cluster, with three others who all speak.

It writes the table into docs/evidence/browser.md.

Memory is what the kubelet counts as the container's working set; CPU is the container's, this probe's included.
"""

import asyncio
import statistics
import sys
import time
from asyncio import to_thread
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

from dev.cluster.binaries import kubernetes_version
from dev.conference import certificate
from dev.conference.chart_values import HOST
from dev.conference.host import Host, a_host
from dev.conference.settings import Settings, for_cluster
from dev.demo.installation import install
from dev.machine.errors import DevError
from dev.machine.progress import Progress
from tests.e2e.kit import Bot, Cluster
from tests.e2e.security import inside
from tests.load import evidence
from tests.load.bench.figures import Bound, Figure, misses, table

OTHERS = 3
WARM_S = 20.0
SAMPLES, EVERY_S = 30, 2.0
BOUNDS = {
    "CPU": Bound(what="cores of one bot, audio only", of="browser_cost", at_most=0.35),
    "memory": Bound(what="working set of one bot, p95", of="browser_cost", at_most=450),
    "start": Bound(what="from the start of the process to the page", of="browser_cost", at_most=2.5),
}

# In the container: samples of [time, CPU seconds, bytes], for either version of cgroups; and when process 1 began.
PROBE = """
import time
def read(*paths):
    for path in paths:
        try:
            return open("/sys/fs/cgroup/" + path).read()
        except OSError:
            pass
def field(text, name):
    return next((int(line.split()[1]) for line in text.splitlines() if line.split()[0] == name), 0)
def sample():
    new = read("cpu.stat")
    cpu = field(new, "usage_usec") / 1e6 if new and "usage_usec" in new else int(read("cpuacct/cpuacct.usage")) / 1e9
    used = int(read("memory.current", "memory/memory.usage_in_bytes"))
    stat = read("memory.stat", "memory/memory.stat")
    return [time.time(), cpu, used - max(field(stat, "inactive_file"), field(stat, "total_inactive_file"))]
found["samples"] = []
for _ in range(given["count"]):
    found["samples"].append(sample())
    time.sleep(given["every_s"])
ticks = int(open("/proc/1/stat").read().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
found["began"] = time.time() - float(open("/proc/uptime").read().split()[0]) + ticks
"""


def main() -> int:
    """Measure, print and write; 1 if a bound is missed."""
    progress = Progress()
    try:
        kubectl = install(progress)
        figures = asyncio.run(_measure(Cluster(kubectl, run=f"cost{int(time.time()) % 100_000}"), for_cluster()))
    except DevError as error:
        print(f"browser-cost: {error}", file=sys.stderr)
        return 1
    lines = [evidence.machine(f"Kubernetes {kubernetes_version()}"), "", *table(figures, BOUNDS)]
    print("\n".join(lines))
    evidence.write("browser.md", lines, part="cost")
    missed = misses(figures, BOUNDS, ran=["browser_cost"])
    for name in missed:
        print(f"browser-cost: missed: {BOUNDS[name].what}", file=sys.stderr)
    return 1 if missed else 0


async def _measure(cluster: Cluster, conference: Settings) -> list[Figure]:
    room = cluster.a_name("room")
    async with AsyncExitStack() as stack:
        people = [await stack.enter_async_context(_a_person(conference, room)) for _ in range(OTHERS)]
        await _gather(people)
        user = await to_thread(cluster.a_user)
        wish = cluster.a_bot(user, called="cost").asking(driver="browser", nativeMeetingId=f"{room}@{HOST}")
        bot = await to_thread(wish.apply)
        try:
            await to_thread(bot.wait_for, "Joined")
            await asyncio.sleep(WARM_S)
            found = await to_thread(inside.run, bot, PROBE, {"count": SAMPLES, "every_s": EVERY_S})
            return list(_figures(bot, found))
        finally:
            await to_thread(bot.delete)


def _a_person(conference: Settings, room: str) -> Any:
    pin = certificate.pin(conference.certificate)
    return a_host(kind="jitsi", url=conference.jitsi_url, room=room, pin=pin, voice=conference.voice)


async def _gather(people: list[Host]) -> None:
    """The first one opens the door for the others."""
    first, *others = people
    await first.come("Ada")
    await first.set_door(lobby=False)
    for number, person in enumerate(others):
        await person.come(f"Guest {number}")


def _figures(bot: Bot, found: dict[str, Any]) -> Iterator[Figure]:
    samples = found["samples"]
    (first_at, first_cpu, _), (last_at, last_cpu, _) = samples[0], samples[-1]
    yield Figure(name="CPU", value=(last_cpu - first_cpu) / (last_at - first_at), unit="cores")
    sizes = sorted(size / 2**20 for _, _, size in samples)
    p95 = statistics.quantiles(sizes, n=20)[-1]
    yield Figure(name="memory", value=p95, unit="MiB", note=f"at most {sizes[-1]:.0f}")
    (started,) = [line for line in bot.words() if line.get("action") == "browser_started"]
    page_at = datetime.fromisoformat(started["time"]).replace(tzinfo=UTC).timestamp()
    yield Figure(name="start", value=page_at - float(found["began"]), unit="s")


if __name__ == "__main__":
    sys.exit(main())
