"""What a class may set, and what it may not."""

import pytest
from pydantic import ValidationError

from usher_bot.drivers.browser.flags import ALWAYS
from usher_bot.drivers.browser.options import BrowserOptions


@pytest.mark.parametrize("flag", ["--proxy-server=http://proxy.example:3128", "--window-size=1280,720"])
def test_a_harmless_flag_may_be_added(flag: str) -> None:
    assert BrowserOptions.model_validate({"flags": [flag]}).flags == (flag,)


@pytest.mark.parametrize(
    "flag",
    [
        "--disable-web-security",
        "--no-sandbox",
        "--ignore-certificate-errors",
        "--load-extension=/tmp/x",
        "--remote-debugging-port=9222",
        "--user-data-dir=/",
        "--proxy-server=http://proxy.example --no-sandbox",
        "about:blank",
    ],
)
def test_any_other_flag_is_refused(flag: str) -> None:
    with pytest.raises(ValidationError, match="not among those that may be added"):
        BrowserOptions.model_validate({"flags": [flag]})


def test_a_site_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValidationError, match="auto or one of google_meet"):
        BrowserOptions.model_validate({"site": "webex"})


def test_the_microphone_is_silent_and_there_is_no_camera() -> None:
    assert "--use-fake-device-for-media-stream=device-count=0" in ALWAYS
