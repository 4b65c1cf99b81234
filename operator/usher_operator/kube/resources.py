"""Requests and limits of a bot's container: defaults below those of the request, and no container without limits."""

import re
from decimal import Decimal
from typing import Any

Json = dict[str, Any]

# Without a limit, a bot that leaks memory or fills its disk evicts its neighbours.
DEFAULT_RESOURCES: Json = {
    "requests": {"cpu": "50m", "memory": "64Mi"},
    "limits": {"memory": "512Mi", "ephemeral-storage": "2Gi"},
}

_QUANTITY = re.compile(r"\+?([0-9]+\.?[0-9]*|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}


def quantity(value: str | int) -> Decimal:
    """A quantity of Kubernetes, such as 500m or 1Gi, as a number. Raises ValueError."""
    match = _QUANTITY.fullmatch(str(value))
    if match is None:
        raise ValueError(f"{value!r} is not a quantity")
    number, suffix = Decimal(match[1]), match[2] or ""
    if suffix in _BINARY:
        return number * Decimal(1024) ** _BINARY[suffix]
    if suffix in _DECIMAL:
        return number.scaleb(_DECIMAL[suffix])
    try:
        return number.scaleb(int(suffix[1:])) if suffix else number
    except ArithmeticError as exc:
        raise ValueError(f"{value!r} is not a quantity") from exc


def with_defaults(resources: Json | None, *, of_class: Json | None = None, defaults: Json = DEFAULT_RESOURCES) -> Json:
    """The resources of a request over those of its class, over the defaults. A request that was not asked for never
    exceeds a limit that was, and a limit that was not asked for is never below a request: Kubernetes would refuse
    both."""
    return _over(_over(defaults, of_class), resources)


def _over(defaults: Json, given: Json | None) -> Json:
    given = given or {}
    limits = defaults["limits"] | (given.get("limits") or {})
    requests = defaults["requests"] | (given.get("requests") or {})
    for name, limit in limits.items():
        if name in requests and quantity(requests[name]) > quantity(limit):
            if name in (given.get("limits") or {}):
                requests[name] = limit
            else:
                limits[name] = requests[name]
    return {"requests": requests, "limits": limits}
