"""What a participant of the conference needs of a machine: Chromium, and a voice to speak with."""

from dev.conference.settings import Settings
from dev.machine import debian
from dev.machine.commands import run
from dev.machine.progress import Progress

# libatomic1 is Playwright's; espeak-ng speaks the host's sentence.
PACKAGES = ("chromium", "fonts-liberation", "libatomic1", "espeak-ng", "pulseaudio")
SENTENCE = (
    "Usher sends a bot into a meeting. This sentence is spoken by the host, again and again, "
    "so that it can be recognised in what the bot recorded."
)


def ensure(settings: Settings, *, progress: Progress) -> None:
    """Install the packages and let the voice be spoken, where either is missing."""
    debian.ensure(PACKAGES, log=settings.home / "apt.log", progress=progress)
    if not settings.voice.exists():
        unfinished = settings.voice.with_suffix(".unfinished")
        run(["espeak-ng", "-s", "140", "-w", str(unfinished), SENTENCE])
        unfinished.rename(settings.voice)
