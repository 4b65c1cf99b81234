"""Pages that are made from code are held to it."""

from dev.settings_page import PAGE, page


def test_the_settings_page_says_what_the_settings_say() -> None:
    assert PAGE.read_text() == page(), "run `make docs`"
