"""Links that people paste, as data: what each must become, and which are refused with what sentence."""

from tests.unit.models.links import elsewhere, google_meet, jitsi, teams, zoom
from tests.unit.models.links.row import Refused, Row

ROWS: list[tuple[str, Row]] = [
    (name, row)
    for name, rows in (
        ("google_meet", google_meet.ROWS),
        ("teams", teams.ROWS),
        ("zoom", zoom.ROWS),
        ("jitsi", jitsi.ROWS),
    )
    for row in rows
]
REFUSED: list[Refused] = [
    *google_meet.REFUSED,
    *teams.REFUSED,
    *zoom.REFUSED,
    *jitsi.REFUSED,
    *elsewhere.REFUSED,
]
