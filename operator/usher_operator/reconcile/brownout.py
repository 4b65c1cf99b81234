"""The place of the brownout guard: how much of a bot's silence is Usher's own fault.

Every rule that judges by silence adds this credit to its limit, so the guard has one door to come in by. Until it is
built, no outage is credited.
"""


async def silence_credit_s() -> float:
    """Seconds in which no bot could have been heard."""
    return 0.0
