"""Whatever text a client sends is a value and never SQL: it comes back as it was sent, and nothing else has changed."""

from uuid import uuid4

from aiohttp import ClientSession
from hypothesis import HealthCheck, Phase, settings
from hypothesis import given as for_all
from hypothesis import strategies as st

from tests.integration.operator.api.client import ADMIN_KEY
from tests.integration.operator.security.test_hostile_clients import PREFIX, serving
from tests.scenario import Scenario

WORDS = ["'", '"', "\\", ";", "--", "/*", "$1", "$$", "%s", "%(id)s", ":id", "::text", "{0}", ")"]
SENTENCES = ("\n", " OR 1=1", "DROP TABLE meetings", "SELECT pg_sleep(9)", "UNION SELECT token FROM api_tokens")
FRAGMENTS = st.sampled_from([*WORDS, *SENTENCES])
# Whatever JSON can say and Postgres can store, with what means something in SQL in it.
TEXT = st.lists(FRAGMENTS | st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=5))
SQL = TEXT.map("".join).filter(lambda text: 0 < len(text) <= 100)
# One server answers all of them: starting it takes longer than asking it.
MANY = st.lists(SQL, min_size=20, max_size=20)
ONCE = settings(max_examples=1, phases=[Phase.generate], suppress_health_check=list(HealthCheck), deadline=None)


@ONCE
@for_all(texts=MANY)
async def test_text_of_the_api_is_stored_as_it_was_sent(given: Scenario, texts: list[str]) -> None:
    async with serving(given) as serve, ClientSession(f"http://127.0.0.1:{serve.ports['api']}") as http:
        for text in texts:
            await _stored_as_sent(http, text, email=f"{uuid4()}@example.com", key=serve.key)


async def _stored_as_sent(http: ClientSession, text: str, *, email: str, key: str) -> None:
    admin, mine = {"X-Admin-API-Key": ADMIN_KEY}, {"X-API-Key": key}
    async with http.post("/admin/users", json={"email": email, "name": text}, headers=admin) as response:
        assert response.status == 201
    async with http.get(f"/admin/users/email/{email}", headers=admin) as response:
        assert (await response.json())["name"] == text
    async with http.get("/meetings", params={"search": text, "native_meeting_id": text}, headers=mine) as response:
        assert (response.status, (await response.json())["meetings"]) == (200, [])
    async with http.get("/meetings", params={"status": text}, headers=mine) as response:
        assert response.status == 422
    forged = "".join(each for each in text if each.isascii() and each.isprintable()).strip() or "x"
    async with http.get("/bots/status", headers={"X-API-Key": forged}) as response:
        assert response.status == 401


@ONCE
@for_all(texts=MANY)
async def test_a_bots_last_words_are_stored_as_they_were_said(given: Scenario, texts: list[str]) -> None:
    other = await given.a_bot().active()
    async with serving(given) as serve, ClientSession(f"http://127.0.0.1:{serve.ports['callbacks']}") as http:
        for text in texts:
            bot = await given.a_bot().active()
            headers = {"Authorization": f"Bearer {serve.token(bot)}"}
            body = {"connection_id": bot.connection_id, "exit_code": 1, "detail": f"e{text}e", "event_id": f"e{text}e"}
            async with http.post(f"{PREFIX}/exited", json=body, headers=headers) as response:
                assert response.status == 200
            assert (await given.story(bot))[-1].detail["detail"] == f"e{text}e"
    assert (await given.fresh(other)).status == "active"
