"""Google Meet's links."""

from tests.unit.models.links.row import Refused, Row

MEET = "https://meet.google.com"
CODE = f"{MEET}/kqz-mnop-rst"
STREAM = "53a80f9c-4755-4fe1-aa72-fe000b78202e"
OTHER_STREAM = "f25eecab-f4eb-49fa-b568-622e3207aa81"

ROWS = [
    Row(CODE, "kqz-mnop-rst"),
    Row(f"{MEET}/KQZ-MNOP-RST", "kqz-mnop-rst"),
    Row(f"{MEET}/kqzmnoprst", "kqz-mnop-rst"),
    Row(f"{CODE}/", "kqz-mnop-rst"),
    Row(f"{CODE}?authuser=1", "kqz-mnop-rst"),
    Row(f"{CODE}?authuser=0&hs=pCv", "kqz-mnop-rst"),
    Row(f"{CODE}?pli=1&ijlm=1637000000000&hs=187&adhoc=1", "kqz-mnop-rst"),
    Row(f"{CODE}?authuser=ada%40example.com", "kqz-mnop-rst"),
    Row(f"{MEET}/_meet/kqz-mnop-rst?ijlm=1&hs=151", "kqz-mnop-rst"),
    Row(f"{MEET}/u/1/kqz-mnop-rst", "kqz-mnop-rst"),
    Row("https://MEET.google.com:443/kqz-mnop-rst", "kqz-mnop-rst", bot=CODE),
    Row("https://meet.google.com./kqz-mnop-rst", "kqz-mnop-rst", bot=CODE),
    Row(f"{MEET}/our-team-standup", "our-team-standup"),
    Row(f"{MEET}/weekly1", "weekly1"),
    Row(f"{MEET}/our-standup", "our-standup"),
    Row(f"{MEET}/lookup/team-standup", "lookup:team-standup"),
    Row(f"{MEET}/lookup/TEAM-standup?authuser=0", "lookup:team-standup"),
    Row(f"{MEET}/lookup/c2dhdn5hqs", "lookup:c2dhdn5hqs"),
    Row(f"{MEET}/lookup/kqzmnoprst", "lookup:kqzmnoprst"),
    Row("https://g.co/meet/team-standup", "lookup:team-standup"),
    Row("https://g.co/meet/kqz-mnop-rst", "kqz-mnop-rst"),
    Row(f"{MEET}/stream/{STREAM}", f"stream:{STREAM}"),
    Row(f"{MEET}/stream/{OTHER_STREAM}", f"stream:{OTHER_STREAM}"),
    Row(f"https://stream.meet.google.com/stream/{STREAM}?authuser=0", f"stream:{STREAM}"),
    Row(
        f"https://www.google.com/url?q={CODE}&sa=D&source=calendar&ust=1757848749347000&usg=AOvVaw3",
        "kqz-mnop-rst",
        bot=CODE,
    ),
    Row(f"{CODE}%20", "kqz-mnop-rst", bot=CODE),
    Row(f"{CODE}%3E", "kqz-mnop-rst", bot=CODE),
    Row(f"{CODE}%C2%A0", "kqz-mnop-rst", bot=CODE),
    Row(f"{MEET}/stream/u/1/{STREAM}", f"stream:{STREAM}"),
    Row(f"{MEET}/kqz\u2013mnop\u2013rst", "kqz-mnop-rst", bot=CODE),
    Row(
        f"https://accounts.google.com/AccountChooser?continue={CODE}?authuser%3D1&hl=de",
        "kqz-mnop-rst",
        bot=f"{CODE}?authuser=1",
    ),
    Row(f"https://www.youtube.com/redirect?event=live&q={CODE}", "kqz-mnop-rst", bot=CODE),
    Row(f"https://l.instagram.com/?u={CODE}&e=AT0", "kqz-mnop-rst", bot=CODE),
    Row(f"https://l.workplace.com/l.php?u={CODE}&h=AT0", "kqz-mnop-rst", bot=CODE),
]

REFUSED = [
    Refused(MEET, "page / of Google Meet"),
    Refused(f"{MEET}/landing", "page /landing of Google Meet, not a meeting"),
    Refused(f"{MEET}/landing?authuser=1", "/landing"),
    Refused(f"{MEET}/about", "/about"),
    Refused(f"{MEET}/new", "/new"),
    Refused(f"{MEET}/linkredirect", "/linkredirect"),
    Refused(f"{MEET}/linkredirect?authuser=0&dest=https%3A%2F%2Fexample.org%2Fnotes", "/linkredirect"),
    Refused(f"{MEET}/whoops/kqz-mnop-rst", "/whoops"),
    Refused(f"{MEET}/_meet/whoops?sc=232&alias=kqzmnoprst", "/whoops"),
    Refused(f"{MEET}/lookup/", "/lookup"),
    Refused(f"{MEET}/stream", "/stream"),
    Refused(f"{MEET}/tel/kqz-mnop-rst", "/tel"),
    Refused(f"{MEET}/settings", "/settings"),
    Refused(f"{MEET}/abc_defg", "https://meet.google.com/abc-defg-hij"),
    Refused(f"{MEET}/lookup/team/standup", "/lookup"),
    Refused(f"{MEET}/stream/{STREAM}/{OTHER_STREAM}", "/stream"),
    Refused("https://tel.meet/kqz-mnop-rst?pin=1234567890&hs=7", "phone numbers"),
]
