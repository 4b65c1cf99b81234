"""The command lines: which cluster is meant, what is refused, and what is printed."""

import shutil
import sys
from pathlib import Path

import pytest

from dev.cluster import __main__ as cluster
from dev.cluster import current, provider
from dev.cluster.settings import Settings
from dev.stores import __main__ as stores


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("USHER_CACHE", str(tmp_path))
    monkeypatch.setenv("USHER_STORES", str(tmp_path / "stores"))
    monkeypatch.delenv("CLUSTER", raising=False)
    return Settings(cache=tmp_path)


def test_the_flag_wins_over_the_variable_and_memory(own: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    provider.remember(own, "local")
    assert provider.choose(own, flag=None) == "local"
    monkeypatch.setenv("CLUSTER", "current")
    assert provider.choose(own, flag=None) == "current"
    assert provider.choose(own, flag="kind") == "kind"


@pytest.mark.parametrize(("docker", "chosen"), [(True, "kind"), (False, "local")])
def test_the_default_is_kind_where_docker_answers(
    own: Settings, monkeypatch: pytest.MonkeyPatch, docker: bool, chosen: str
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(provider, "_docker_answers", lambda: docker)
    assert provider.choose(own, flag=None) == chosen


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["start", "nonsense"], 2, "the components are etcd"),
        (["build-images"], 1, "start the cluster first"),
        (["logs"], 1, "no log yet"),
        (["--cluster", "current", "kill", "etcd"], 1, "Will not kill"),
        (["--cluster", "current", "audit-log"], 1, "audit log"),
        (["--cluster", "kind", "start", "etcd"], 1, "local cluster only"),
    ],
)
def test_wrong_input_gets_a_sentence(
    arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cluster.main(["--cluster", "local", *arguments]) == code
    assert words in capsys.readouterr().err


def test_an_unknown_kind_is_misuse(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CLUSTER", "minikube")
    assert cluster.main(["kubeconfig"]) == 2
    assert "kind, current, local" in capsys.readouterr().err


@pytest.mark.parametrize("main", [cluster.main, stores.main])
def test_an_unknown_command_is_misuse(main: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert callable(main)
    with pytest.raises(SystemExit) as left:
        main(["nonsense"])
    assert left.value.code == 2


def test_the_local_environment_is_for_the_shell(capsys: pytest.CaptureFixture[str], own: Settings) -> None:
    assert cluster.main(["--cluster", "local", "env"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == f"export KUBECONFIG={own.kubeconfig()}"
    assert printed[1].startswith("export PATH=")
    assert printed[1].endswith(':"$PATH"')


def test_the_current_context_is_not_used_without_a_yes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(current, "run", lambda argv: "production\n")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    assert cluster.main(["--cluster", "current", "up"]) == 1
    assert "production" in capsys.readouterr().err


def test_the_stores_urls_are_for_the_shell(capsys: pytest.CaptureFixture[str]) -> None:
    assert stores.main(["env"]) == 0
    database, redis = capsys.readouterr().out.splitlines()
    assert database == "export USHER_TEST_DATABASE_URL=postgresql+psycopg://usher@127.0.0.1:24329/usher"
    assert redis == "export USHER_TEST_REDIS_URL=redis://127.0.0.1:63799/0"


def test_stores_that_do_not_run_are_shown_as_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    assert stores.main(["status"]) == 1
    assert capsys.readouterr().out.count("stopped") == 2


def test_given_stores_are_used_and_none_is_started(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stores, "_up", lambda settings, *, progress: pytest.fail("a store is started"))
    monkeypatch.setenv("USHER_TEST_DATABASE_URL", "postgresql+psycopg://usher@db/usher")
    monkeypatch.setenv("USHER_TEST_REDIS_URL", "redis://redis/0")
    assert stores.main(["up"]) == 0
    assert "USHER_TEST_DATABASE_URL and USHER_TEST_REDIS_URL name the stores" in capsys.readouterr().err


@pytest.mark.parametrize("only", ["USHER_TEST_DATABASE_URL", "USHER_TEST_REDIS_URL"])
def test_one_given_store_alone_is_not_enough(only: str, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    monkeypatch.setattr(stores, "_up", lambda settings, *, progress: started.append(only))
    for name in ("USHER_TEST_DATABASE_URL", "USHER_TEST_REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(only, "anything://")
    assert stores.main(["up"]) == 0
    assert started == [only]
