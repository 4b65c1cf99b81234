"""Every link of the table becomes its meeting, or is refused with the sentence that helps."""

import pytest

from tests.unit.models.links import REFUSED, ROWS
from tests.unit.models.links.row import Refused, Row
from usher_models.errors import InvalidMeeting
from usher_models.platforms import MeetingRef, Platform, resolve


@pytest.mark.parametrize(("platform", "row"), ROWS, ids=lambda value: getattr(value, "link", value))
def test_a_link_names_its_meeting(platform: str, row: Row) -> None:
    assert resolve(url=row.link, platform=row.platform, passcode=row.beside) == MeetingRef(
        platform=Platform(platform), native_id=row.native_id, url=row.bot_link, passcode=row.passcode
    )


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: ascii(row.link)[:80])
def test_a_link_that_is_no_meeting_is_refused_with_what_it_is(row: Refused) -> None:
    with pytest.raises(InvalidMeeting) as refusal:
        resolve(url=row.link, platform=row.platform)
    assert refusal.value.field == "meetingUrl"
    assert row.says in str(refusal.value)
    assert str(refusal.value).endswith(".")


def test_the_table_is_large_enough_to_mean_something() -> None:
    assert len(ROWS) >= 130
    assert len(REFUSED) >= 120
    assert len({(row.link, row.beside) for _, row in ROWS}) == len(ROWS)
