"""PID 1 takes what is left lying, and nothing else."""

from pathlib import Path

from usher_bot.drivers.browser.orphans import dead_children


def a_process(proc: Path, pid: int, *, state: str, parent: int) -> None:
    """A process as /proc shows it; the name may hold anything."""
    (proc / str(pid)).mkdir(parents=True)
    (proc / str(pid) / "stat").write_text(f"{pid} (a) b (c)) {state} {parent} 1 1 0")


def test_only_dead_children_of_this_process_are_found(tmp_path: Path) -> None:
    a_process(tmp_path, 10, state="Z", parent=1)
    a_process(tmp_path, 11, state="S", parent=1)
    a_process(tmp_path, 12, state="Z", parent=10)
    (tmp_path / "13").mkdir()
    (tmp_path / "version").mkdir()
    assert dead_children(1, proc=tmp_path) == {10}
