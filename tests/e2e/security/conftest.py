"""Bots to look out from: simulated ones in their meetings, whose pods have all that a bot ever has."""

from collections.abc import Iterator

import pytest

from tests.e2e.kit import Bot, Cluster, User


@pytest.fixture(scope="module")
def bots(cluster: Cluster, user: User) -> Iterator[tuple[Bot, Bot]]:
    """Two bots, both in their meetings."""
    one, other = cluster.apply([cluster.a_bot(user, called="insider"), cluster.a_bot(user, called="neighbour")])
    yield one.wait_for("Joined"), other.wait_for("Joined")
    for bot in (one, other):
        bot.delete()


@pytest.fixture(scope="module")
def bot(bots: tuple[Bot, Bot]) -> Bot:
    """The first of them."""
    return bots[0]
