"""The lives that come to every write of the control plane: what people, bots and Kubernetes do, and how it must end."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.faults.crash.actor import Actor
from tests.faults.harness.api import JOBS

Life = Callable[[Actor], Awaitable[None]]

# Longer than `orphan_grace_s` of these runs.
FOREIGN_FOR_S = 4.0


async def applied(actor: Actor) -> None:
    """A BotRequest is applied, changed and sent away; its bot does everything a bot can."""
    person = await actor.a_person()
    name = await actor.apply(userId=person.id, language="en")
    bot = await actor.the_bot(request_name=name)
    await bot.says("started")
    await actor.settle()
    await bot.says("status", stage="lobby")
    await bot.says("joined")
    await actor.settle()
    await bot.says("heartbeat", status="active", stage="in_meeting", participants=2)
    await actor.change(name, language="de")
    told = await bot.is_told("reconfigure")
    await bot.says("heartbeat", status="active", applied_generation=told["generation"])
    await actor.change(name, desiredState="Left")
    await bot.is_told("leave")
    await bot.leaves()
    await actor.quiet(status="completed", reasons={"stopped"})


async def asked_over_rest(actor: Actor) -> None:
    """A program asks for a bot over REST, reconfigures it and sends it away."""
    person = await actor.a_person()
    meeting = await actor.ask(person, "POST", "/bots", {"platform": "google_meet", "native_meeting_id": "abc-defg-hij"})
    bot = await actor.the_bot(meeting_id=meeting["id"])
    await bot.says("started")
    await bot.says("joined")
    await actor.settle()
    await actor.ask(person, "PUT", "/bots/google_meet/abc-defg-hij/config", {"language": "de"})
    await bot.is_told("reconfigure")
    await actor.ask(person, "DELETE", "/bots/google_meet/abc-defg-hij")
    await bot.is_told("leave")
    await bot.leaves()
    await actor.quiet(status="completed", reasons={"stopped"})


async def refused(actor: Actor) -> None:
    """A BotRequest of nobody is refused, and holds nothing."""
    await actor.apply(userId=999_999)
    await actor.quiet(status="", reasons=set())


async def never_wanted(actor: Actor) -> None:
    """A BotRequest that wants its bot to leave from the beginning gets none."""
    person = await actor.a_person()
    await actor.apply(userId=person.id, desiredState="Left")
    await actor.quiet(status="completed", reasons={"stopped_before_start"})


async def deleted(actor: Actor) -> None:
    """A BotRequest is deleted in the middle of its meeting; Kubernetes collects the rest."""
    person = await actor.a_person()
    name = await actor.apply(userId=person.id)
    bot = await actor.the_bot(request_name=name)
    await bot.says("started")
    await bot.says("joined")
    await actor.settle()
    await actor.delete(name)
    await actor.settle()
    await bot.says("exited", exit_code=0)
    await actor.quiet(status="completed", reasons={"request_deleted", "left", "stopped"})


async def silent(actor: Actor) -> None:
    """A bot in its meeting falls silent for longer than it may."""
    person = await actor.a_person()
    bot = await actor.the_bot(request_name=await actor.apply(userId=person.id))
    await bot.says("started")
    await bot.says("joined")
    await actor.settle()
    await actor.let_pass(600)
    await actor.quiet(status="failed", reasons={"heartbeat_lost"})


async def never_started(actor: Actor) -> None:
    """A bot's pod is there and never says a word."""
    person = await actor.a_person()
    await actor.the_bot(request_name=await actor.apply(userId=person.id))
    await actor.let_pass(600)
    await actor.quiet(status="failed", reasons={"never_started"})


async def died_without_a_word(actor: Actor) -> None:
    """A bot's process is killed, and only Kubernetes knows."""
    person = await actor.a_person()
    bot = await actor.the_bot(request_name=await actor.apply(userId=person.id))
    await bot.says("started")
    await bot.says("joined")
    await bot.ends(137)
    await actor.quiet(status="failed", reasons={"exit_code_137"})


async def ignores_leave(actor: Actor) -> None:
    """A bot does not leave when it is asked to; its Job is deleted."""
    person = await actor.a_person()
    name = await actor.apply(userId=person.id)
    bot = await actor.the_bot(request_name=name)
    await bot.says("started")
    await bot.says("joined")
    await actor.change(name, desiredState="Left")
    await actor.settle()
    await actor.let_pass(90)
    await bot.says("heartbeat", status="active")
    await actor.quiet(status="failed", reasons={"leave_ignored"})


async def overrun(actor: Actor) -> None:
    """A bot stays longer than it may and is asked to leave."""
    person = await actor.a_person()
    name = await actor.apply(userId=person.id, maxDurationSeconds=60)
    bot = await actor.the_bot(request_name=name)
    await bot.says("started")
    await bot.says("joined")
    await bot.says("heartbeat", status="active")
    await actor.let_pass(70)
    await bot.says("heartbeat", status="active")
    await bot.is_told("leave")
    await bot.leaves()
    await actor.quiet(status="completed", reasons={"max_duration_exceeded"})


async def withdrawn_over_rest(actor: Actor) -> None:
    """A program sends its bot away while its BotRequest is not there yet."""
    person = await actor.a_person()
    await actor.ask(person, "POST", "/bots", {"platform": "google_meet", "native_meeting_id": "abc-defg-hij"})
    await actor.ask(person, "DELETE", "/bots/google_meet/abc-defg-hij")
    await actor.quiet(status="completed", reasons={"stopped_before_start"})


async def job_deleted(actor: Actor) -> None:
    """Somebody deletes a bot's Job, and its pod with it."""
    person = await actor.a_person()
    bot = await actor.the_bot(request_name=await actor.apply(userId=person.id))
    await bot.says("started")
    await bot.says("joined")
    for job in await actor.installation.api.items(JOBS.format(actor.installation.namespace)):
        path = f"{JOBS.format(actor.installation.namespace)}/{job['metadata']['name']}"
        await actor.installation.api.persist("DELETE", path, propagationPolicy="Background")
    await actor.quiet(status="failed", reasons={"job_missing"})


async def strange_job(actor: Actor) -> None:
    """A Job that nothing shows to be Usher's is left alone for longer than an orphan would be."""
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": "bot-999999",
            "labels": {"app.kubernetes.io/managed-by": "usher", "usher.dev/meeting-id": "999999"},
            "annotations": {"usher.dev/connection-id": "of-another-database"},
        },
        "spec": {
            "backoffLimit": 0,
            "template": {
                "metadata": {"labels": {"app.kubernetes.io/managed-by": "usher"}},
                "spec": {"restartPolicy": "Never", "containers": [{"name": "bot", "image": "bot"}]},
            },
        },
    }
    jobs, api = JOBS.format(actor.installation.namespace), actor.installation.api
    await api.make(jobs, job)
    await asyncio.sleep(FOREIGN_FOR_S)
    status, found = await api.persist("GET", f"{jobs}/bot-999999")
    assert (status, found.get("metadata", {}).get("deletionTimestamp")) == (200, None), "a foreign Job was deleted"
    await api.persist("DELETE", f"{jobs}/bot-999999", propagationPolicy="Background")
    await actor.quiet(status="", reasons=set())


async def told_by_webhook(actor: Actor) -> None:
    """A user's own server is told of each change, at least once and in the same words."""
    person = await actor.a_person()
    await actor.give_webhook(person)
    bot = await actor.the_bot(request_name=await actor.apply(userId=person.id))
    await bot.says("started")
    await actor.settle()
    await bot.says("joined")
    await bot.says("exited", exit_code=0)
    await bot.ends(0)
    await actor.quiet(status="completed", reasons={"left"})
    await actor.all_told()


async def presence(actor: Actor) -> None:
    """A replica says that it can take callbacks, and notes the outage that this ends."""
    await actor.step(lambda site: site.say_present())
    async with actor.truth.transaction() as connection:
        await connection.exec_driver_sql("UPDATE usher.replicas SET served_until = now() - interval '60 s'")
    await actor.step(lambda site: site.say_present())
    await actor.step(lambda site: site.say_present())
    async with actor.truth.transaction() as connection:
        noted = (await connection.exec_driver_sql("SELECT count(*) FROM usher.outages")).scalar_one()
    assert noted == 1, f"{noted} outages were noted for one."
    await actor.quiet(status="", reasons=set())


ALL: tuple[Life, ...] = (
    applied,
    asked_over_rest,
    refused,
    never_wanted,
    deleted,
    silent,
    never_started,
    died_without_a_word,
    ignores_leave,
    overrun,
    withdrawn_over_rest,
    job_deleted,
    strange_job,
    told_by_webhook,
    presence,
)
