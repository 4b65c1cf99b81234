"""What a swarm saw: latencies in buckets of one per cent, and counters. Memory does not grow with time."""

import math
from collections import Counter
from dataclasses import dataclass, field

_GROWTH = math.log(1.01)
_LEAST_S = 1e-5


class Histogram:
    """Durations in seconds; quantiles are right to one per cent."""

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self.count = 0
        self.longest_s = 0.0
        self._sum_s = 0.0

    def add(self, seconds: float) -> None:
        """Note one duration."""
        self._buckets[int(math.log(max(seconds, _LEAST_S) / _LEAST_S) / _GROWTH)] += 1
        self.count += 1
        self._sum_s += seconds
        self.longest_s = max(self.longest_s, seconds)

    def quantile(self, share: float) -> float:
        """The duration that `share` of all do not exceed; nan when there is none."""
        left = share * self.count
        for bucket in sorted(self._buckets):
            left -= self._buckets[bucket]
            if left <= 0:
                return min(self.longest_s, _LEAST_S * math.exp((bucket + 1) * _GROWTH))
        return math.nan

    @property
    def mean_s(self) -> float:
        """The mean; nan when there is none."""
        return self._sum_s / self.count if self.count else math.nan

    def summary(self) -> str:
        """Count, median, p99 and the longest, in milliseconds."""
        p50, p99 = 1000 * self.quantile(0.5), 1000 * self.quantile(0.99)
        return f"n={self.count} p50={p50:.1f} ms p99={p99:.1f} ms max={1000 * self.longest_s:.1f} ms"


@dataclass
class Figures:
    """Counters and latencies of one swarm, by the kind of callback. `reset` begins a new measurement."""

    latency: dict[str, Histogram] = field(default_factory=dict)
    acknowledged: Counter[str] = field(default_factory=Counter)
    """Callbacks answered with 200."""
    lost: Counter[str] = field(default_factory=Counter)
    """Callbacks that were given up: nobody took them within their horizon."""
    declined: Counter[str] = field(default_factory=Counter)
    """Callbacks answered with a refusal that no later try can cure, by kind and code: `joined 409`."""
    retries: Counter[str] = field(default_factory=Counter)
    """Tries after the first, by what went wrong: a status code, or `no answer`."""
    ended: Counter[str] = field(default_factory=Counter)
    """Bots that ended, by how: an exit code, `dismissed 410`, `unheard`."""
    commands: Counter[str] = field(default_factory=Counter)
    """Commands that a bot had not known, by action and way: `leave redis`, `leave reply`."""

    def note(self, kind: str, seconds: float) -> None:
        """A callback was acknowledged `seconds` after the bot wanted to speak."""
        self.acknowledged[kind] += 1
        histogram = self.latency.get(kind)
        if histogram is None:
            histogram = self.latency[kind] = Histogram()
        histogram.add(seconds)

    def reset(self) -> None:
        """Forget everything."""
        for counter in (self.latency, self.acknowledged, self.lost, self.declined):
            counter.clear()
        for counter in (self.retries, self.ended, self.commands):
            counter.clear()

    def table(self) -> str:
        """Everything, for a person."""
        lines = [f"{kind:10} {histogram.summary()}" for kind, histogram in sorted(self.latency.items())]
        for name in ("lost", "declined", "retries", "ended", "commands"):
            counter: Counter[str] = getattr(self, name)
            lines.append(f"{name:10} " + (", ".join(f"{key}: {n}" for key, n in sorted(counter.items())) or "none"))
        return "\n".join(lines)
