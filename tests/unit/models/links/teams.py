"""Microsoft Teams' links."""

import base64
import hashlib
import json
from urllib.parse import quote

from tests.unit.models.links.row import Refused, Row

REGISTER = "register, then use the link of the confirmation"
CONTEXT = "?context=%7b%22Tid%22%3a%22d0880d3f%22%2c%22Oid%22%3a%22cf032064%22%7d"
THREAD = "19:meeting_NjQ1ZGQ1@thread.v2"
CHANNEL = "19:X7aB@thread.tacv2"
JOIN = "/l/meetup-join/19%3ameeting_NjQ1ZGQ1%40thread.v2/0"
CLASSIC = f"https://teams.microsoft.com{JOIN}{CONTEXT}"
WRAPPED = quote(CLASSIC, safe="")
LAUNCHER = "https://teams.microsoft.com/dl/launcher/launcher.html?url="
COORDS = base64.b64encode(
    json.dumps({"conversationId": THREAD, "tenantId": "t", "organizerId": "o", "messageId": "0"}).encode()
).decode()


def hashed(thread: str) -> str:
    return hashlib.sha256(thread.encode()).hexdigest()[:16]


ROWS = [
    Row("https://teams.live.com/meet/9361792952021?p=abc12345", "9361792952021", passcode="abc12345"),
    Row("https://teams.live.com/meet/9361792952021", "9361792952021"),
    Row("https://teams.microsoft.com/meet/33749853217630?p=em7xplMp", "33749853217630", passcode="em7xplMp"),
    Row("https://teams.microsoft.com/meet/987654321012?p=x%2By", "987654321012", passcode="x+y"),
    Row(
        "https://teams.microsoft.com/meet/233362334498301?p=Lb2Ay6Ao&anon=true", "233362334498301", passcode="Lb2Ay6Ao"
    ),
    Row("https://teams.cloud.microsoft/meet/33749853217630?p=em7x", "33749853217630", passcode="em7x"),
    Row("https://contoso.teams.microsoft.com/meet/33749853217630", "33749853217630"),
    Row(
        "https://gov.teams.microsoft.us/meet/12345678901234?p=a", "12345678901234@gov.teams.microsoft.us", passcode="a"
    ),
    Row("https://dod.teams.microsoft.us/meet/12345678901234", "12345678901234@dod.teams.microsoft.us"),
    Row("https://teams.microsoftonline.cn/meet/12345678901234", "12345678901234@teams.microsoftonline.cn"),
    Row(
        "https://teams.microsoft.com/v2/?meetingjoin=true#/meet/33749853217630?p=em7x&anon=true",
        "33749853217630",
        passcode="em7x",
    ),
    Row(
        f"{LAUNCHER}%2F_%23%2Fmeet%2F33122884984323%3Fp%3DJ3o61K%26anon%3Dtrue&type=meet&directDl=true",
        "33122884984323",
        passcode="J3o61K",
    ),
    Row(CLASSIC, hashed(THREAD)),
    Row(f"https://teams.microsoft.com{JOIN}", hashed(THREAD)),
    Row(CLASSIC.replace("%3a", "%3A"), hashed(THREAD)),
    Row(f"https://teams.microsoft.com/l/meetup-join/{THREAD}/0{CONTEXT}", hashed(THREAD)),
    Row(
        f'https://teams.microsoft.com/l/meetup-join/{THREAD}/0?context={{"Tid":"t","Oid":"o"}}',
        hashed(THREAD),
        bot=f"https://teams.microsoft.com/l/meetup-join/{THREAD}/0?context={{%22Tid%22:%22t%22,%22Oid%22:%22o%22}}",
    ),
    Row(f"{CLASSIC}&anon=true", hashed(THREAD)),
    Row(f"https://teams.live.com{JOIN}", hashed(THREAD)),
    Row(f"https://gov.teams.microsoft.us{JOIN}{CONTEXT}", hashed(THREAD)),
    Row(
        f"{LAUNCHER}%2F_%23%2Fl%2Fmeetup-join%2F19%3ameeting_NjQ1ZGQ1%40thread.v2%2F0%3Fcontext%3D%257B%2522Tid%2522"
        "%253a%2522x%2522%257D%26anon%3Dtrue&type=meetup-join&deeplinkId=3c2ffe80&directDl=true",
        hashed(THREAD),
    ),
    Row(f"{LAUNCHER}{quote(f'/_#{JOIN}{CONTEXT}', safe='')}&type=meetup-join", hashed(THREAD)),
    Row(f"{LAUNCHER}/_%23/l/meetup-join/{THREAD}/0?context=x", hashed(THREAD)),
    Row(f"https://teams.microsoft.com/_#{JOIN}{CONTEXT}", hashed(THREAD)),
    Row(f"https://teams.microsoft.com/_#/pre-join-calling/{THREAD}", hashed(THREAD)),
    Row("https://teams.live.com/_#/meet/9361792952021?p=abc12345", "9361792952021", passcode="abc12345"),
    Row(f"https://teams.microsoft.com/v2/?meetingjoin=true#{JOIN}{CONTEXT}&anon=true", hashed(THREAD)),
    Row(
        f"https://teams.microsoft.com/light-meetings/launch?agent=web&version=25&coords={quote(COORDS)}&deeplinkId=0a",
        hashed(THREAD),
    ),
    Row(f"msteams:{JOIN}", hashed(THREAD), bot=f"https://teams.microsoft.com{JOIN}"),
    Row(f"msteams://teams.microsoft.com{JOIN}", hashed(THREAD), bot=f"https://teams.microsoft.com{JOIN}"),
    Row(
        "https://teams.microsoft.com/l/meetup-join/19%3aX7aB%40thread.tacv2/1600000000000",
        hashed(f"{CHANNEL}/1600000000000"),
    ),
    Row(
        "https://teams.microsoft.com/l/meetup-join/19%3aX7aB%40thread.tacv2/1700000000000",
        hashed(f"{CHANNEL}/1700000000000"),
    ),
    Row(
        "https://teams.microsoft.com/l/meetup-join/19%3ax7ab%40thread.tacv2/1700000000000",
        hashed("19:x7ab@thread.tacv2/1700000000000"),
    ),
    Row(
        "https://teams.microsoft.com/l/meetup-join/19%3ameeting_QQ%40thread.skype/0",
        hashed("19:meeting_QQ@thread.skype"),
    ),
    Row(
        f"https://nam11.safelinks.protection.outlook.com/?url={WRAPPED}&data=05%7C01&reserved=0",
        hashed(THREAD),
        bot=CLASSIC,
    ),
    Row(
        f"https://nam11.safelinks.protection.outlook.com/?url={WRAPPED}&amp;data=05%7C01",
        hashed(THREAD),
        bot=CLASSIC,
    ),
    Row(
        f"https://statics.teams.cdn.office.net/evergreen-assets/safelinks/1/atp-safelinks.html?url={WRAPPED}",
        hashed(THREAD),
        bot=CLASSIC,
    ),
    Row(
        "https://urldefense.com/v3/__https://teams.microsoft.com/l/meetup-join/19*3ameeting_NjQ1ZGQ1*40thread.v2/0"
        "?context=*7b*22Tid*22*3a*22d*22*7d__;JSUlJSUlJSUl!!ABC123!def$",
        hashed(THREAD),
        bot=f"https://teams.microsoft.com{JOIN}?context=%7b%22Tid%22%3a%22d%22%7d",
    ),
    Row(f"https://teams.microsoft.com{JOIN}%20", hashed(THREAD), bot=f"https://teams.microsoft.com{JOIN}"),
    # A passcode beside the link.
    Row(
        "https://teams.microsoft.com/meet/33749853217630",
        "33749853217630",
        beside="em7x",
        bot="https://teams.microsoft.com/meet/33749853217630?p=em7x",
        passcode="em7x",
    ),
    Row(
        "https://teams.live.com/meet/9361792952021?p=old&anon=true",
        "9361792952021",
        beside="new",
        bot="https://teams.live.com/meet/9361792952021?anon=true&p=new",
        passcode="new",
    ),
    Row(
        "https://gov.teams.microsoft.us/meet/12345678901234",
        "12345678901234@gov.teams.microsoft.us",
        beside="a b",
        bot="https://gov.teams.microsoft.us/meet/12345678901234?p=a%20b",
        passcode="a b",
    ),
    Row(
        "https://teams.microsoft.com/v2/?meetingjoin=true#/meet/33749853217630?p=old",
        "33749853217630",
        beside="new",
        bot="https://teams.microsoft.com/meet/33749853217630?p=new",
        passcode="new",
    ),
    Row(CLASSIC, hashed(THREAD), beside="new", passcode="new"),
]

REFUSED = [
    Refused("https://events.teams.microsoft.com/event/9d288ee7@84c31ca0", REGISTER),
    Refused("https://teams.microsoft.com/registration/8OfWJ", REGISTER),
    Refused(
        "https://teams.microsoft.com/meetingOptions/?organizerId=o&tenantId=t&threadId=19_meeting_x@thread.v2",
        "the options of a meeting of Microsoft Teams, not a meeting",
    ),
    Refused("https://teams.microsoft.com/l/channel/19%3aX7aB%40thread.tacv2/General?groupId=g", "a channel"),
    Refused("https://teams.microsoft.com/l/chat/0/0?users=ada@example.com", "a chat"),
    Refused("https://teams.microsoft.com/l/team/19%3aX7aB%40thread.tacv2/conversations", "a team"),
    Refused("https://teams.microsoft.com/l/message/19:x@thread.tacv2/1648741500652", "a message"),
    Refused("https://teams.microsoft.com/l/meeting/new?subject=x", "the form for a new meeting"),
    Refused("https://teams.microsoft.com/l/meeting/details?eventId=AAMk", "a page of the calendar"),
    Refused("https://teams.microsoft.com/light-meetings/launch?p=abc&anon=true", "does not say which meeting"),
    Refused("https://teams.microsoft.com/light-meetings/launch?coords=%FF", "does not say which meeting"),
    Refused("https://dialin.teams.microsoft.com/8551f4c1?id=73572842", "phone numbers"),
    Refused("https://teams.microsoft.com/", "/l/meetup-join/"),
    Refused("https://teams.microsoft.com/l/meetup-join/", "/l/meetup-join/"),
    Refused("https://teams.microsoft.com/l/meetup-join/389141384648269", "/l/meetup-join/"),
    Refused("https://teams.live.com/meet/12", "https://teams.microsoft.com/meet/"),
    Refused("https://teams.live.com/join/9361792952021", "a page of Microsoft Teams"),
    Refused("https://aka.ms/JoinTeamsMeeting?omkt=en-US", "a link of aka.ms, which hides where it leads"),
]
