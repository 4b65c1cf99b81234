"""The database goes back in time while bots are in their meetings: each stays, alone, and its row comes back."""

from tests.e2e.kit import Bot, Cluster, User

LOST = ("usher.bots", "usher.heartbeats", "usher.transitions", "usher.webhook_deliveries", "meeting_sessions")


def lose(cluster: Cluster, bot: Bot) -> int:
    """Take back everything that was committed of a bot; its meeting's id."""
    meeting_id: int = bot.row()["meeting_id"]
    statements = [f"DELETE FROM {table} WHERE meeting_id = {meeting_id}" for table in LOST]
    whole = "; ".join([*statements, f"DELETE FROM meetings WHERE id = {meeting_id}"])
    psql = ("psql", "--username", "usher", "--dbname", "usher", "--no-psqlrc", "--single-transaction", "-qc", whole)
    cluster.system("exec", "statefulset/usher-postgresql", "--", *psql)
    return meeting_id


def test_a_bot_whose_row_is_lost_stays_in_its_meeting_and_no_second_one_joins(cluster: Cluster, user: User) -> None:
    bot = cluster.a_bot(user, called="lost").apply().wait_for("Joined")
    (pod,) = bot.pods()
    meeting_id = lose(cluster, bot)
    row = bot.wait_for_row(status="active")
    assert row["meeting_id"] == meeting_id
    first = bot.story()[0]
    assert (first.source, first.reason) == ("adoption", "adopted_after_restore")
    assert [each["metadata"]["uid"] for each in bot.pods()] == [pod["metadata"]["uid"]]
    assert len(bot.jobs()) == 1
    bot.ask_to_leave()
    assert bot.ended().phase == "completed"
    bot.delete()
