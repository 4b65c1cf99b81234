"""The figures of a long run and what they are held to."""

import itertools
import statistics
from collections.abc import Callable, Iterator

from tests.browser.long_run.bots import Bot, Sample
from tests.browser.long_run.host_acts import Acts
from tests.load.bench.figures import Bound, Figure

OF = "browser_long"
BOUNDS = {
    "ended": Bound(what="bots that ended though nothing ended them", of=OF, at_most=0),
    "withheld": Bound(what="heartbeats held back though the page was well", of=OF, at_most=0),
    "gap": Bound(what="the longest time between two heartbeats", of=OF, at_most=20),
    "miscounted": Bound(what="acts of the host after which a bot reported a wrong number of others", of=OF, at_most=0),
    "unrecorded": Bound(what="samples in which a recording had not grown", of=OF, at_most=0),
    "cores growth": Bound(what="CPU of one bot, the last fifth of the time beside the first", of=OF, at_most=1.25),
    "memory growth": Bound(what="memory of one bot, the last fifth of the time beside the first", of=OF, at_most=1.15),
}


def figures(bots: list[Bot], acts: Acts, *, loads: list[float]) -> list[Figure]:
    """Everything that a run shows. `loads` are the machine's load averages meanwhile."""
    done = ", ".join(f"{name} {count}" for name, count in acts.done.items())
    return [
        Figure(name="ended", value=sum(bot.has_ended for bot in bots), unit="", note=f"of {len(bots)}"),
        Figure(name="withheld", value=sum(bot.withheld for bot in bots), unit="", note=f"of {_beats(bots)}"),
        Figure(name="gap", value=max(bot.longest_gap_s() for bot in bots), unit="s"),
        Figure(name="acts of the host", value=acts.done.total(), unit="", note=done),
        Figure(
            name="acts that the host's own page did not take",
            value=len(acts.failed),
            unit="",
            note="; ".join(acts.failed),
        ),
        Figure(name="miscounted", value=len(acts.miscounted), unit="", note="; ".join(acts.miscounted)),
        Figure(name="all bots report the right number again after", value=acts.slowest_s, unit="s", note="at most"),
        Figure(name="unrecorded", value=sum(map(_unrecorded, bots)), unit=""),
        Figure(
            name="load average of the machine",
            value=statistics.median(loads),
            unit="",
            note=f"at most {max(loads):.1f}",
        ),
        *_cost("cores", "cores", bots, lambda sample: sample.cores),
        *_cost("memory", "MiB", bots, lambda sample: sample.mib),
    ]


def _beats(bots: list[Bot]) -> int:
    return sum(len(bot.program.control_plane.of("heartbeat")) for bot in bots)


def _unrecorded(bot: Bot) -> int:
    sizes = [sample.recorded for sample in bot.samples]
    return sum(later <= earlier for earlier, later in itertools.pairwise(sizes))


def _cost(name: str, unit: str, bots: list[Bot], of: Callable[[Sample], float]) -> Iterator[Figure]:
    """The middle and the 95th percentile of one bot, and how it grew."""
    values = [of(sample) for bot in bots for sample in bot.samples]
    fifth = max(1, min(len(bot.samples) for bot in bots) // 5)
    first = statistics.median(of(sample) for bot in bots for sample in bot.samples[:fifth])
    last = statistics.median(of(sample) for bot in bots for sample in bot.samples[-fifth:])
    yield Figure(name=f"{name} of one bot, p50", value=statistics.median(values), unit=unit)
    yield Figure(name=f"{name} of one bot, p95", value=statistics.quantiles(values, n=20)[-1], unit=unit)
    yield Figure(name=f"{name} growth", value=last / first, unit="times", note=f"{first:.3g} to {last:.3g} {unit}")
