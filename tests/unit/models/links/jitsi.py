"""Jitsi's links."""

from tests.unit.models.links.row import Refused, Row

PUBLIC = "https://meet.jit.si"
OWN = "https://meet.example.org"

ROWS = [
    Row(f"{PUBLIC}/weekly", "weekly"),
    Row(f"{PUBLIC}/Weekly", "weekly"),
    Row(f"{PUBLIC}/Weekly/", "weekly"),
    Row(f"{PUBLIC}/weekly?jwt=eyJhbGciOi.eyJyb29t.c2ln", "weekly"),
    Row(f"{PUBLIC}/weekly#config.startWithAudioMuted=true&userInfo.displayName=%22Ada%22", "weekly"),
    Row(f'{PUBLIC}/weekly#userInfo.displayName="Ada"', "weekly", bot=f"{PUBLIC}/weekly#userInfo.displayName=%22Ada%22"),
    Row(f"{PUBLIC}/weekly?lang=de#config.prejoinConfig.enabled=false", "weekly"),
    Row(f"{PUBLIC}/My.Room_1-2", "my.room_1-2"),
    Row(f"{PUBLIC}/Room%20With%20Spaces", "room~20with~20spaces"),
    Row(f"{PUBLIC}/me%20%26%20you", "me~20~26~20you"),
    Row(f"{PUBLIC}/%D0%B6%D0%B4", "жд"),
    Row(f"{PUBLIC}/ЖД", "жд", bot=f"{PUBLIC}/%D0%96%D0%94"),
    Row(f"{PUBLIC}/@example.com", "example.com"),
    Row(f"{PUBLIC}/ada%40example.com", "ada~40example.com"),
    Row(f"{PUBLIC}/a%2Fb", "a~2Fb"),
    Row(f"{PUBLIC}/a%3Ab", "a~3Ab"),
    Row(f"{PUBLIC}/100%25", "100~25"),
    Row(f"{PUBLIC}/~20", "~7E20"),
    Row(f"{PUBLIC}/standup(1)!", "standup1", bot=f"{PUBLIC}/standup(1)"),
    Row(f"{PUBLIC}/team-a/weekly", "team-a:weekly"),
    Row("org.jitsi.meet://meet.jit.si/weekly", "weekly", bot=f"{PUBLIC}/weekly"),
    Row("https://beta.meet.jit.si/weekly", "weekly@beta.meet.jit.si"),
    Row("https://8x8.vc/TENANT-A/standup", "tenant-a:standup@8x8.vc"),
    Row("https://8x8.vc/TENANT-B/standup", "tenant-b:standup@8x8.vc"),
    Row("https://8x8.vc/standup", "standup@8x8.vc"),
    Row(
        "https://8x8.vc/vpaas-magic-cookie-0123456789abcdef0123456789abcdef/Room?jwt=eyJhbGciOi.e.s",
        "vpaas-magic-cookie-0123456789abcdef0123456789abcdef:room@8x8.vc",
    ),
    Row(f"{OWN}/standup", "standup@meet.example.org", platform="jitsi"),
    Row(f"{OWN}/Standup?jwt=a.b.c#config.x=1", "standup@meet.example.org", platform="jitsi"),
    Row(f"{OWN}/tenant/standup", "tenant:standup@meet.example.org", platform="jitsi"),
    Row(f"{OWN}:8443/standup", "standup@meet.example.org:8443", platform="jitsi"),
    Row("https://MEET.example.org:443/standup", "standup@meet.example.org", bot=f"{OWN}/standup", platform="jitsi"),
    Row(
        "https://bücher.example/standup",
        "standup@xn--bcher-kva.example",
        bot="https://xn--bcher-kva.example/standup",
        platform="jitsi",
    ),
    Row("https://xn--e1afmkfd.xn--p1ai/standup", "standup@xn--e1afmkfd.xn--p1ai", platform="jitsi"),
    Row(f"{PUBLIC}/weekly", "weekly", beside="s3cret", passcode="s3cret"),
]

REFUSED = [
    Refused(f"{PUBLIC}/", "names no room of the Jitsi server meet.jit.si"),
    Refused(f"{PUBLIC}/static/close3.html", "names no room"),
    Refused(f"{PUBLIC}/libs/app.bundle.min.js", "names no room"),
    Refused(f"{PUBLIC}/!!", "names no room"),
    Refused(f"{PUBLIC}/{'a' * 256}", "too long"),
    Refused(f"{PUBLIC}/%00", "names no room"),
    Refused(f"{PUBLIC}/%FF", "names no room"),
    Refused(f"{OWN}/standup", "set platform to jitsi"),
    Refused(f"{OWN}/a b", "spaces", platform="jitsi"),
    Refused("https://kubernetes.default.svc/api", "'kubernetes.default.svc' is one of a cluster", platform="jitsi"),
    Refused(
        "https://kubernetes.default.svc.cluster.local/api", "USHER_ALLOWED_PRIVATE_MEETING_HOSTS", platform="jitsi"
    ),
    Refused("https://kubernetes.default/api", "public host", platform="jitsi"),
    Refused("https://kubernetes/api", "public host", platform="jitsi"),
    Refused("https://metadata.google.internal/computeMetadata", "public host", platform="jitsi"),
    Refused("https://instance-data.ec2.internal/latest", "public host", platform="jitsi"),
    Refused("https://169.254.169.254/latest/meta-data", "not an address", platform="jitsi"),
    Refused("https://100.100.100.200/latest", "not an address", platform="jitsi"),
]
