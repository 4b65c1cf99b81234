"""Rewinds: the database or etcd goes back beneath 200 bots; none loses its meeting, and none gets a second one.

Six worlds, one after another: a standby that is behind is promoted, a dump of an hour ago is restored, the schema is
dropped, the sequences are behind, two databases are swapped, etcd is restored. In each, bots come and go between the
moment that is kept and the rewind. What counts is what bots, pods and a receiver of webhooks showed, and the rows in
the end.
"""

import asyncio
import time
import traceback
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import text

from dev.cluster import bare
from dev.machine.progress import Progress
from tests.faults import page
from tests.faults.figures import Figure, Scale, at_least, at_most, counted, exactly
from tests.faults.harness import checkers
from tests.faults.harness.api import Api
from tests.faults.harness.kubelet import a_node
from tests.faults.rewinding.etcd import RestoredEtcd
from tests.faults.rewinding.ground import Ground, a_rewound_ground
from tests.faults.rewinding.restore import RestoredDump
from tests.faults.rewinding.rewind import Facts, Rewind
from tests.faults.rewinding.schema import DroppedSchema
from tests.faults.rewinding.sequences import SequencesBehind
from tests.faults.rewinding.standby import PromotedStandby
from tests.faults.rewinding.swap import SwappedDatabases

LONG = True
GROUND = 20
BOTS, QUICK_BOTS = 200, 20
# For each ten bots one of them comes between the moment and the rewind, and one more is there that leaves.
SHARE = 10
NEW = 5
BEAT_S, QUICK_BEAT_S = 30.0, 5.0
AT_REST_S = 300.0
# Afterwards, until a wrong verdict would have fallen: the hold, and the silence that a bot may keep.
VERDICT_S, QUICK_VERDICT_S = 130.0, 20.0
REWINDS: tuple[type[Rewind], ...] = (
    PromotedStandby,
    RestoredDump,
    DroppedSchema,
    SequencesBehind,
    SwappedDatabases,
    RestoredEtcd,
)
QUICK: tuple[type[Rewind], ...] = (RestoredDump,)

_SAY_SO = text("""
SELECT count(DISTINCT b.request_name) FROM usher.bots b JOIN usher.transitions t ON t.meeting_id = b.meeting_id
WHERE t.source = 'adoption' AND b.request_name = ANY(:names)
""")
_NOTICED = text("SELECT count(*) FROM usher.rewinds")
_DOUBLED_IDS = text("SELECT count(*) - count(DISTINCT connection_id) FROM usher.bots")


@dataclass(frozen=True, kw_only=True)
class Names:
    """The meetings of one world: there before the moment, gone after it, come after it, and asked for in the end."""

    staying: list[str]
    leaving: list[str]
    late: list[str]
    new: list[str]

    @classmethod
    def of(cls, facts: Facts, *, bots: int) -> "Names":
        """So many bots live when it goes back."""
        part = bots // SHARE
        late = part if facts.keeps_late_bots else 0
        return cls(
            staying=[f"staying-{number}" for number in range(bots - late)],
            leaving=[f"leaving-{number}" for number in range(part)],
            late=[f"late-{number}" for number in range(late)],
            new=[f"new-{number}" for number in range(NEW)],
        )

    @property
    def lost(self) -> list[str]:
        """Those that live on although their rows may be lost."""
        return [*self.staying, *self.late]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one rewind came to."""

    facts: Facts
    watched: int
    ended: int
    second: int
    unsaid: int
    ambiguous: int
    webhooks: int
    rest_s: float
    figures: list[Figure]


async def run(scale: Scale) -> list[Figure]:
    """Every rewind, each in a world of its own."""
    await asyncio.to_thread(bare.up, bare.load(), progress=Progress())
    results: list[Result] = []
    broken: list[Figure] = []
    for number, kind in enumerate(QUICK if scale.quick else REWINDS):
        try:
            async with _a_node() as api:
                results.append(await _rewind(kind(), api, number=number, scale=scale))
        except Exception:
            # The figures of the others are not lost with it.
            traceback.print_exc()
            broken.append(exactly(f"{kind.facts.name}: broke off", 1, 0))
    if not (scale.quick or broken):
        page.write("evidence/faults.md", "rewinds", table(results))
    return [*(figure for result in results for figure in result.figures), *broken]


@asynccontextmanager
async def _a_node() -> AsyncIterator[Api]:
    async with Api.connect(bare.load()) as api, a_node(api):
        yield api


async def _rewind(rewind: Rewind, api: Api, *, number: int, scale: Scale) -> Result:
    facts = rewind.facts
    names = Names.of(facts, bots=QUICK_BOTS if scale.quick else BOTS)
    beat_s = QUICK_BEAT_S if scale.quick else BEAT_S
    async with AsyncExitStack() as stack:
        ground = await stack.enter_async_context(
            a_rewound_ground(api, number=GROUND + number, name="rewind", seed=scale.seed, beat_s=beat_s)
        )
        await ground.join([*names.staying, *names.leaving])
        await rewind.mark(ground, stack)
        await ground.send_away(names.leaving)
        await ground.join(names.late)
        scale.say(f"{facts.name}: {len(ground.healthy)} bots are in their meetings; back it goes")
        await rewind.go_back(ground)
        rest_s = await _at_rest(ground, names)
        scale.say(f"{facts.name}: at rest after {rest_s:.0f} s")
        await asyncio.sleep(QUICK_VERDICT_S if scale.quick else VERDICT_S)
        return await _judge(ground, facts, names, rest_s=rest_s)


async def _at_rest(ground: Ground, names: Names) -> float:
    """Seconds until all rows are as they shall be, and new bots have joined."""
    began = time.monotonic()
    await ground.join(names.new, within_s=AT_REST_S)
    await ground.wait_for(dict.fromkeys(sorted(ground.healthy), ("active",)), within_s=AT_REST_S)
    # Of a meeting that was over nothing but Vexa's row may be left.
    await ground.wait_for(dict.fromkeys(names.leaving, ("completed", "failed", None)), within_s=AT_REST_S)
    return time.monotonic() - began


async def _judge(ground: Ground, facts: Facts, names: Names, *, rest_s: float) -> Result:
    statuses = await ground.statuses()
    ended = len({name for name in ground.healthy if name in ground.seen.ended or statuses.get(name) != "active"})
    second = ground.seen.rooms_with_two()
    must_say = names.lost if facts.loses_all else names.late if facts.loses_late_bots else []
    async with ground.truth.transaction() as connection:
        unsaid = len(must_say) - int(await connection.scalar(_SAY_SO, {"names": must_say}))
        noticed = int(await connection.scalar(_NOTICED))
        doubled = int(await connection.scalar(_DOUBLED_IDS))
    findings = await checkers.always(ground.truth)
    seen, name = ground.seen, facts.name
    figures = [
        at_least(f"{name}: bots that were watched", len(ground.healthy), NEW + 1),
        exactly(f"{name}: healthy bots that ended", ended, 0),
        exactly(f"{name}: meetings with a second bot or pod", second, 0),
        exactly(f"{name}: rows that were put back and do not say so", unsaid, 0),
        exactly(f"{name}: times it was noticed", noticed, int(facts.is_noticed)),
        exactly(f"{name}: ids that were given out twice", doubled, 0),
        at_least(f"{name}: changes that webhooks told", len(seen.changes), 1),
        exactly(f"{name}: ids of webhooks for two changes", seen.ambiguous_webhooks(), 0),
        at_most(f"{name}: all at rest, new bots included", round(rest_s, 1), AT_REST_S, unit="s"),
        exactly(f"{name}: findings of the checkers", len(findings), 0),
        counted(f"{name}: rows put back", len(must_say) - unsaid),
    ]
    return Result(
        facts=facts,
        watched=len(ground.healthy),
        ended=ended,
        second=second,
        unsaid=unsaid,
        ambiguous=seen.ambiguous_webhooks(),
        webhooks=len(seen.changes),
        rest_s=rest_s,
        figures=figures,
    )


def table(results: Sequence[Result]) -> str:
    """What was measured, as the page shows it."""
    lines = [
        "| what went back | bots | healthy bots ended | second bots | put back without saying so | webhooks"
        " | ids for two changes | at rest after |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for each in results:
        lines.append(
            f"| {each.facts.name} | {each.watched} | {each.ended} | {each.second} | {each.unsaid} | {each.webhooks:,}"
            f" | {each.ambiguous} | {each.rest_s:.0f} s |"
        )
    return "\n".join(lines)
