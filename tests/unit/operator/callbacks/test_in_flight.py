"""A bot's callbacks in flight are limited, however many of them were answered meanwhile."""

from contextlib import ExitStack
from typing import cast

import pytest
from aiohttp import web

from usher_models.db.engine import Database
from usher_operator.callbacks.pod_token import TokenVerifier
from usher_operator.callbacks.routes import MAX_IN_FLIGHT, Callbacks
from usher_operator.lifecycle.termination import Termination


@pytest.fixture
def callbacks() -> Callbacks:
    """Callbacks that are asked nothing which needs a database."""
    return Callbacks(
        database=cast("Database", None),
        verifier=cast("TokenVerifier", None),
        heartbeat_interval_s=30,
        termination=cast("Termination", None),
    )


def test_the_limit_holds_after_an_answer(callbacks: Callbacks) -> None:
    with ExitStack() as others:
        for _ in range(MAX_IN_FLIGHT - 1):
            others.enter_context(callbacks._in_flight_of("pod"))
        for _ in range(3):
            with callbacks._in_flight_of("pod"), pytest.raises(web.HTTPTooManyRequests):
                callbacks._in_flight_of("pod").__enter__()


def test_another_bot_has_a_limit_of_its_own(callbacks: Callbacks) -> None:
    with ExitStack() as others:
        for _ in range(MAX_IN_FLIGHT):
            others.enter_context(callbacks._in_flight_of("pod"))
        others.enter_context(callbacks._in_flight_of("another"))


def test_nothing_is_remembered_of_a_bot_without_callbacks(callbacks: Callbacks) -> None:
    with callbacks._in_flight_of("pod"):
        pass
    assert not callbacks._in_flight


def test_a_refused_callback_is_not_counted(callbacks: Callbacks) -> None:
    with ExitStack() as others:
        for _ in range(MAX_IN_FLIGHT):
            others.enter_context(callbacks._in_flight_of("pod"))
        for _ in range(5):
            with pytest.raises(web.HTTPTooManyRequests):
                callbacks._in_flight_of("pod").__enter__()
    assert not callbacks._in_flight
