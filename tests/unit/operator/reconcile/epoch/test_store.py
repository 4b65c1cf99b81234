"""The ConfigMap of the epoch stops nothing, whatever is in it, and another installation's is left alone."""

import logging
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from tests.fakes.epoch import EPOCH
from tests.fakes.kube import FakeKube
from tests.unit.operator.reconcile.epoch.test_evidence import RECORD
from usher_models.errors import KubernetesUnavailable
from usher_operator.kube.port import WriteRefused
from usher_operator.reconcile.epoch.store import EpochStore, Stored


@pytest.fixture
def kube() -> FakeKube:
    kube = FakeKube()
    kube.config_maps[EPOCH] = {"metadata": {"resourceVersion": "1"}}
    return kube


@pytest.fixture
def store(kube: FakeKube) -> EpochStore:
    return EpochStore(kube=kube, namespace=EPOCH[0], name=EPOCH[1])


async def test_what_is_written_is_read(store: EpochStore) -> None:
    assert await store.read() == Stored(record=None, version="1")
    assert await store.replace(RECORD)
    assert (await store.read()).record == RECORD


async def test_what_an_older_record_had_and_a_newer_one_has_not_is_removed(store: EpochStore) -> None:
    await store.replace(RECORD)
    await store.replace(replace(RECORD, newest=None))
    assert (await store.read()).record == replace(RECORD, newest=None)


@pytest.mark.parametrize("data", [{"epoch": "three"}, {"some": "thing"}, {"installation": "x" * 10_000}])
async def test_contents_that_make_no_sense_are_told_and_written_anew(
    store: EpochStore, kube: FakeKube, caplog: pytest.LogCaptureFixture, data: dict[str, Any]
) -> None:
    kube.config_maps[EPOCH]["data"] = data
    assert await store.read() == Stored(record=None, version="1")
    assert [record.__dict__["action"] for record in caplog.records] == ["epoch_unreadable"]
    assert await store.replace(RECORD)
    assert (await store.read()).record == RECORD


async def test_the_record_of_another_installation_is_left_alone_and_told_once(
    store: EpochStore, kube: FakeKube, caplog: pytest.LogCaptureFixture
) -> None:
    foreign = replace(RECORD, installation=str(uuid4()))
    await store.replace(foreign)
    for _ in range(3):
        assert not await store.replace(RECORD)
    assert (await store.read()).record == foreign
    assert [record.__dict__["action"] for record in caplog.records] == ["epoch_foreign"]
    assert "left alone" in caplog.text


async def test_one_that_is_gone_or_forbidden_is_told_and_not_made(
    store: EpochStore, kube: FakeKube, caplog: pytest.LogCaptureFixture
) -> None:
    del kube.config_maps[EPOCH]
    assert await store.read() == Stored()
    assert not await store.replace(RECORD)
    assert kube.config_map_writes == 0
    assert [record.__dict__["action"] for record in caplog.records] == ["epoch_gone"]


@pytest.mark.parametrize("error", [KubernetesUnavailable("away"), WriteRefused("no")])
async def test_a_write_that_fails_is_left_to_the_next_one(
    store: EpochStore, kube: FakeKube, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    kube.fail("patch_config_map", error)
    assert not await store.replace(RECORD)
    assert caplog.records[0].levelno == logging.WARNING
    assert await store.replace(RECORD)


async def test_what_another_process_wrote_meanwhile_is_not_overwritten(store: EpochStore, kube: FakeKube) -> None:
    async def read_late(namespace: str, name: str) -> dict[str, Any]:
        return {"metadata": {"resourceVersion": "0"}}

    kube.get_config_map = read_late  # type: ignore[method-assign]
    assert not await store.replace(RECORD)
    assert "data" not in kube.config_maps[EPOCH]


async def test_without_a_name_nothing_is_asked_of_the_cluster(kube: FakeKube) -> None:
    store = EpochStore(kube=kube, namespace="", name="usher-epoch")
    assert not await store.replace(RECORD)
    assert (kube.reads, kube.config_map_writes) == (0, 0)
