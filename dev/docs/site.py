"""The site in build/site: Zensical builds it from docs/, and this module refuses what Zensical lets pass.

Zensical refuses broken links and anchors between pages. What it does not look for: pages that no menu leads to,
pictures that are missing, and parts that a reader's browser would fetch from other hosts.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "zensical.toml"
DOCS = ROOT / "docs"
SITE = ROOT / "build" / "site"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def build() -> list[str]:
    """Build the site; what is wrong with it, one sentence each."""
    lost = misplaced_pages(menu(), root=DOCS)
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "--config-file", str(CONFIG)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if done.returncode:
        # It paints what it says for a terminal, whatever NO_COLOR says, and ends with a traceback.
        said = COLOURS.sub("", done.stdout + done.stderr.partition("Traceback")[0])
        return [*lost, f"Zensical refuses the pages:\n{said.strip()}"]
    return lost + dead_links(SITE)


def menu() -> list[str]:
    """The pages that the menu of zensical.toml leads to."""
    return nav_pages(tomllib.loads(CONFIG.read_text())["project"]["nav"])


def nav_pages(nav: list[Any] | str) -> list[str]:
    """The pages that a part of a menu leads to."""
    if isinstance(nav, str):
        return [nav]
    return [page for entry in nav for target in entry.values() for page in nav_pages(target)]


def misplaced_pages(listed: list[str], *, root: Path) -> list[str]:
    """Pages that are in the menu twice or not at all, and entries of the menu without a page."""
    there = {str(path.relative_to(root)) for path in root.rglob("*.md")}
    return [
        *(f"docs/{page} is not in the nav of zensical.toml." for page in sorted(there - set(listed))),
        *(f"docs/{page} is in the nav of zensical.toml and does not exist." for page in sorted(set(listed) - there)),
        *(
            f"docs/{page} is in the nav of zensical.toml twice."
            for page in sorted(set(listed))
            if listed.count(page) > 1
        ),
    ]


class Page(HTMLParser):
    """What one built page names: its own anchors, where its links lead, and what a browser loads with it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.parts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value for name, value in attrs if value}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if "src" in given:
            self.parts.append(given["src"])
        if "href" in given and tag == "a":
            self.links.append(given["href"])
        if "href" in given and tag == "link" and given.get("rel") != "canonical":
            self.parts.append(given["href"])


def dead_links(site: Path) -> list[str]:
    """Links and parts of the built pages that lead nowhere, and parts that come from other hosts."""
    pages = {path: Page(path.read_text()) for path in sorted(site.rglob("*.html")) if path.name != "404.html"}
    return [f"{path.relative_to(site)}: {wrong}" for path, page in pages.items() for wrong in _wrong(path, page, pages)]


def _wrong(path: Path, page: Page, pages: dict[Path, Page]) -> Iterator[str]:
    for part in page.parts:
        if urlsplit(part).netloc:
            yield f"a browser would fetch {part} from another host."
    for target in [*page.links, *page.parts]:
        parts = urlsplit(target)
        if parts.scheme or parts.netloc:
            continue
        there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if not there.exists():
            yield f"{target} leads nowhere."
        elif parts.fragment and there in pages and unquote(parts.fragment) not in pages[there].anchors:
            yield f"{target} names an anchor that is not there."
