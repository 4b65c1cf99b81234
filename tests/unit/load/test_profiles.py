"""What is made of py-spy's samples: whose code ran, for which of Usher's functions, and nothing of who waited."""

from pathlib import Path

import pytest

from tests.load.bench.profiles import Profiler

WORK = (
    "run (usher_operator/cli/runner.py:40);ensure (usher_operator/lifecycle/ensure.py:60);"
    "execute (psycopg/cursor_async.py:90)"
)
OTHER_LINE = WORK.replace(":60", ":61")
WAITS = "_bootstrap (threading.py:1002);_worker (concurrent/futures/thread.py:81)"


def test_samples_are_shared_out_by_library_and_by_function(tmp_path: Path) -> None:
    profiler = Profiler.in_a_clean(tmp_path / "profiles")
    lines = [f"{WORK} 6", f"{OTHER_LINE} 3", "loads (json/__init__.py:346) 1", f"{WAITS} 500"]
    (profiler.folder / "operate during a test.raw").write_text("\n".join(lines))
    table = profiler.tables()
    assert "10 samples at 100 a second." in table
    assert "| psycopg | 90% |" in table
    assert "| Python's json | 10% |" in table
    assert "| `ensure` (usher_operator/lifecycle/ensure.py) | 90% |" in table
    assert not any("runner.py" in line or "_worker" in line for line in table)


def test_a_function_that_is_only_the_way_to_another_is_left_out(tmp_path: Path) -> None:
    profiler = Profiler.in_a_clean(tmp_path / "profiles")
    outer, inner = "ensure (usher_operator/lifecycle/ensure.py:60)", "reserve (usher_models/db/reservations.py:90)"
    other = "create_job (usher_operator/kube/adapter.py:70)"
    lines = [
        f"way_in (usher_operator/handlers.py:5);{outer};{each} {count}" for each, count in ((inner, 6), (other, 4))
    ]
    (profiler.folder / "operate during a test.raw").write_text("\n".join(lines))
    table = profiler.tables()
    assert [line for line in table if "usher_" in line] == [
        "| `ensure` (usher_operator/lifecycle/ensure.py) | 100% |",
        "| `reserve` (usher_models/db/reservations.py) | 60% |",
        "| `create_job` (usher_operator/kube/adapter.py) | 40% |",
    ]


@pytest.mark.parametrize(
    ("frame", "owner"),
    [
        ("Runner.run (asyncio/runners.py:118)", "the event loop itself"),
        ("__create_fn__.<locals>.__init__ (<string>:3)", "Python's dataclasses"),
        ("SSLObject.read (ssl.py:921)", "Python's ssl"),
        ("ABCMeta.__instancecheck__ (<frozen abc>:117)", "Python's abc"),
        ("worker (kopf/_core/reactor/queueing.py:300)", "kopf"),
        ("", "no frame of Python"),
    ],
)
def test_a_sample_belongs_to_the_library_whose_code_ran(tmp_path: Path, frame: str, owner: str) -> None:
    profiler = Profiler.in_a_clean(tmp_path / "profiles")
    (profiler.folder / "operate during a test.raw").write_text(f"{frame} 1")
    assert f"| {owner} | 100% |" in profiler.tables()


def test_what_an_earlier_run_left_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "old.raw").write_text(f"{WORK} 1")
    assert Profiler.in_a_clean(tmp_path).tables() == []
