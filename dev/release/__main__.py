"""`python -m dev.release build|verify VERSION`: the command line behind `make release` and `make verify-release`."""

import argparse
import os
import shutil
import sys
from pathlib import Path

from dev.cluster import binaries
from dev.cluster.settings import REPOSITORY, load
from dev.machine.errors import DevError
from dev.machine.progress import Progress
from dev.release import building, source, verifying, versions
from dev.release.signing import KEY, signer

OUTPUT = REPOSITORY / "build" / "release"


def main(arguments: list[str] | None = None) -> int:
    """0 done, 1 failed, 2 misused."""
    options = _parser().parse_args(arguments)
    try:
        versions.check(options.version, versions.read(REPOSITORY))
        folder = OUTPUT / options.version
        if options.command == "build":
            _build(folder, options)
        for sentence in verifying.verify(folder, version=options.version, public_key=options.key):
            print(f"verified: {sentence}")
        print((folder / verifying.DIGESTS).read_text(), end="")
    except DevError as error:
        print(f"release: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dev.release", description=__doc__)
    parser.add_argument("command", choices=("build", "verify"))
    parser.add_argument("version", help="such as 0.1.0")
    parser.add_argument("--key", type=Path, help="the public key to verify with; without it, the one in the release")
    parser.add_argument("--cyclonedx", help="the program cyclonedx-py, for build")
    return parser


def _build(folder: Path, options: argparse.Namespace) -> None:
    """Build into an empty folder, and say what keeps it from being a release to publish."""
    progress, commit, key = Progress(), source.read(REPOSITORY), signer(os.environ)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    binaries.ensure(load(), binaries.TOOLS, progress=progress)
    building.build(folder, version=options.version, source=commit, cyclonedx=options.cyclonedx, progress=progress)
    building.seal(folder, key)
    missing = {
        f"{KEY} is not set: signed with a key that was made for this build and is gone": key.throwaway,
        "the checkout has changes that are in no commit": not commit.clean,
        "CHANGELOG.md calls this version unreleased": versions.read(REPOSITORY).date == versions.UNRELEASED,
    }
    for reason in (reason for reason, applies in missing.items() if applies):
        progress.say(f"A REHEARSAL, NOT A RELEASE: {reason}")


if __name__ == "__main__":
    sys.exit(main())
