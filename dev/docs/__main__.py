"""`python -m dev.docs write` writes the pages that are made from code; `build` builds the site and checks it."""

import argparse
import sys

from dev.docs import pages, site


def main() -> int:
    """The exit code: 1 when the site is not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m dev.docs", description=__doc__)
    parser.add_argument("act", choices=("write", "build"))
    return write() if parser.parse_args().act == "write" else build()


def write() -> int:
    """Write every generated page."""
    for name, made in pages.PAGES.items():
        (site.DOCS / name).write_text(made())
        print(f"Wrote docs/{name}.")
    return 0


def build() -> int:
    """Build the site; say what is wrong with it."""
    wrong = site.build()
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    if not wrong:
        print(f"Built {site.SITE.relative_to(site.ROOT)}: no broken link, no page outside the menu.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
