"""`python -m dev.conference.server`: the front server. `dev.conference up` starts it."""

import argparse
import asyncio
import ssl
from pathlib import Path

import aiohttp
from aiohttp import web

from dev.conference.server.api import Api
from dev.conference.server.livekit import LiveKit
from dev.conference.server.recordings import recordings
from dev.conference.server.signalling import Signalling
from dev.conference.server.sites import jitsi_pages, meeting_pages, stand_in_pages


def main() -> None:
    """Serve until killed."""
    options = _parser().parse_args()
    asyncio.run(_serve(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dev.conference.server")
    parser.add_argument("--certificate", type=Path, required=True)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--livekit", required=True, help="LiveKit's URL")
    parser.add_argument("--meeting", type=_site, required=True, help="PORT:FOLDER of our own page")
    parser.add_argument("--jitsi", type=_site, required=True, help="PORT:FOLDER of Jitsi's pages")
    parser.add_argument("--stand-ins", type=_site, required=True, help="PORT:FOLDER of the stand-ins")
    parser.add_argument("--sink", type=_site, required=True, help="PORT:FOLDER of what bots record")
    parser.add_argument("--code", help="changes with the server's code")
    return parser


def _site(value: str) -> tuple[int, Path]:
    port, _, folder = value.partition(":")
    return int(port), Path(folder)


async def _serve(options: argparse.Namespace) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(options.certificate, options.key)
    async with aiohttp.ClientSession() as session:
        api = Api(LiveKit(options.livekit, session=session))
        signalling = Signalling(options.livekit, session=session)
        sites = [(options.meeting, meeting_pages), (options.jitsi, jitsi_pages), (options.stand_ins, stand_in_pages)]
        for (port, folder), pages in sites:
            app = web.Application()
            app.add_routes(
                [web.post("/api/{room}/{verb}", api.handle), web.route("*", "/rtc{rest:.*}", signalling.handle)]
            )
            app.add_routes(pages(folder))
            runner = web.AppRunner(app)
            await runner.setup()
            await web.TCPSite(runner, options.host, port, ssl_context=tls).start()
        port, folder = options.sink
        sink = web.AppRunner(recordings(folder))
        await sink.setup()
        await web.TCPSite(sink, options.host, port).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    main()
