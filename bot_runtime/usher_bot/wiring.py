"""Puts one bot together. Everything here is made once per process and shares one clock."""

import aiohttp

from usher_bot.clock import Clock
from usher_bot.commands import Inbox
from usher_bot.control_plane import ControlPlane
from usher_bot.driver_session import DriverSession
from usher_bot.drivers import build_driver
from usher_bot.drivers.base import Driver, Explains, Faults
from usher_bot.heartbeat import HeartbeatLoop
from usher_bot.lifecycle import Lifecycle, Limits
from usher_bot.milestones import Milestones
from usher_bot.redaction import Redactor
from usher_bot.retry import Retrier
from usher_bot.settings import Settings
from usher_bot.shutdown_deadline import ShutdownDeadline
from usher_bot.state import BotState
from usher_bot.subscriber import Subscriber
from usher_bot.transport import Transport
from usher_models.wire import command_channels


def assemble(
    settings: Settings,
    *,
    session: aiohttp.ClientSession,
    redactor: Redactor,
    clock: Clock,
    driver: Driver | None = None,
    faults: Faults | None = None,
) -> Lifecycle:
    """The bot that the settings describe. Tests bring a driver of their own."""
    faults = faults or Faults()
    driver = driver or build_driver(settings, clock=clock, faults=faults)
    inbox = Inbox()
    state = BotState(explain=lambda: driver.explain() if isinstance(driver, Explains) else None)
    control_plane = _control_plane(settings, session=session, inbox=inbox, clock=clock)
    milestones = Milestones(control_plane)
    heartbeats = HeartbeatLoop(
        control_plane=control_plane,
        state=state,
        participants=lambda: driver.participants,
        is_alive=lambda: driver.is_alive,
        faults=faults,
        interval_s=settings.heartbeat_interval_s,
        clock=clock,
    )
    return Lifecycle(
        control_plane=control_plane,
        driver_session=DriverSession(
            driver=driver, state=state, heartbeats=heartbeats, milestones=milestones, inbox=inbox, redactor=redactor
        ),
        heartbeats=heartbeats,
        milestones=milestones,
        inbox=inbox,
        subscriber=_subscriber(settings, inbox=inbox, clock=clock),
        deadline=ShutdownDeadline(total_s=settings.leave_grace_s, clock=clock),
        limits=Limits(lobby_timeout_s=settings.lobby_timeout_s, max_duration_s=settings.max_duration_s),
        faults=faults,
        clock=clock,
    )


def _control_plane(settings: Settings, *, session: aiohttp.ClientSession, inbox: Inbox, clock: Clock) -> ControlPlane:
    return ControlPlane(
        connection_id=settings.connection_id,
        container_id=settings.pod_uid,
        transport=Transport(session=session, base_url=settings.callback_url, token_file=settings.token_file),
        retrier=Retrier(clock=clock),
        inbox=inbox,
    )


def _subscriber(settings: Settings, *, inbox: Inbox, clock: Clock) -> Subscriber | None:
    if settings.redis_url is None:
        return None
    channels = command_channels(meeting_id=settings.meeting_id, connection_id=settings.connection_id)
    return Subscriber(url=settings.redis_url.get_secret_value(), channels=channels, inbox=inbox, clock=clock)
