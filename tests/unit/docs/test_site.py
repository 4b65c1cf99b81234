"""What the docs site refuses: pages outside the menu, dead links, missing pictures, parts from other hosts."""

from pathlib import Path

import pytest

from dev.docs import site


def test_every_page_is_in_the_menu_once() -> None:
    assert site.misplaced_pages(site.menu(), root=site.DOCS) == []


def test_a_page_outside_the_menu_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# A")
    (tmp_path / "orphan.md").write_text("# Orphan")
    (wrong,) = site.misplaced_pages(["a.md"], root=tmp_path)
    assert "orphan.md is not in the nav" in wrong


def test_an_entry_without_a_page_is_named(tmp_path: Path) -> None:
    (wrong,) = site.misplaced_pages(["gone.md"], root=tmp_path)
    assert "gone.md is in the nav" in wrong


def test_a_page_that_is_in_the_menu_twice_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# A")
    (wrong,) = site.misplaced_pages(["a.md", "a.md"], root=tmp_path)
    assert "twice" in wrong


def test_the_menu_is_read_through_its_levels() -> None:
    assert site.nav_pages([{"A": "a.md"}, {"B": [{"C": "c.md"}, {"D": [{"E": "e.md"}]}]}]) == ["a.md", "c.md", "e.md"]


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ('<a href="b.html">b</a>', []),
        ('<a href="b.html#here">b</a> <a href="#own">own</a><h2 id="own">', []),
        ('<a href="https://example.org/x">another site</a>', []),
        ('<a href="gone.html">gone</a>', ["gone.html leads nowhere."]),
        ('<a href="b.html#nowhere">b</a>', ["b.html#nowhere names an anchor that is not there."]),
        ('<img src="gone.svg">', ["gone.svg leads nowhere."]),
        (
            '<script src="https://example.org/x.js">',
            ["a browser would fetch https://example.org/x.js from another host."],
        ),
        (
            '<link rel="stylesheet" href="//example.org/x.css">',
            ["a browser would fetch //example.org/x.css from another host."],
        ),
    ],
)
def test_a_built_page_is_checked(tmp_path: Path, body: str, wrong: list[str]) -> None:
    (tmp_path / "b.html").write_text('<h2 id="here">')
    (tmp_path / "a.html").write_text(body)
    assert site.dead_links(tmp_path) == [f"a.html: {sentence}" for sentence in wrong]
