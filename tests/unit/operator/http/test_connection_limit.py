"""Who gets a connection when there are too many: never at the cost of a client that has few."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from usher_operator.http.connection_limit import Connections


class FakeConnection:
    """Remembers whether it was closed."""

    def __init__(self) -> None:
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True


def admitted(connections: Connections, address: str) -> Any:
    connection: Any = FakeConnection()
    return connection if connections.admit(connection, address) else None


def test_below_the_limit_everybody_is_let_in() -> None:
    connections = Connections(10)
    assert all(admitted(connections, "one") for _ in range(10))
    assert len(connections) == 10


def test_at_the_limit_a_client_with_its_share_is_turned_away_and_harms_nobody() -> None:
    connections = Connections(10)
    held = [admitted(connections, "greedy") for _ in range(10)]
    assert admitted(connections, "greedy") is None
    assert not any(connection.aborted for connection in held)


def test_at_the_limit_the_greediest_makes_room_for_others_until_the_shares_are_equal() -> None:
    connections = Connections(10)
    greedy = [admitted(connections, "greedy") for _ in range(10)]
    modest = [admitted(connections, "modest") for _ in range(7)]
    assert [connection.aborted for connection in greedy] == [True] * 5 + [False] * 5
    assert [bool(connection) for connection in modest] == [True] * 5 + [False] * 2


def test_who_leaves_makes_room() -> None:
    connections = Connections(1)
    first = admitted(connections, "one")
    assert admitted(connections, "one") is None
    connections.leave(first, "one")
    connections.leave(first, "one")
    assert admitted(connections, "one")


@given(limit=st.integers(1, 8), arrivals=st.lists(st.sampled_from("abc"), max_size=40))
def test_the_limit_holds_and_whoever_has_nothing_gets_in(limit: int, arrivals: list[str]) -> None:
    connections = Connections(limit)
    held: dict[str, list[Any]] = {address: [] for address in "abc"}
    for address in arrivals:
        mine = [connection for connection in held[address] if not connection.aborted]
        connection = admitted(connections, address)
        others = sum(not each.aborted for those in held.values() for each in those)
        if not mine and limit >= 3:
            assert connection, f"{address} had none and was turned away."
        if connection:
            held[address].append(connection)
        assert len(connections) == others + bool(connection) <= limit
