"""`python3 -m dev.cluster`: the command line of the development cluster."""

import argparse
import os
import shlex
import sys

from dev.cluster import binaries, components, provider
from dev.cluster.current import Current
from dev.cluster.kind import Kind
from dev.cluster.local import Local
from dev.cluster.provider import Provider
from dev.cluster.settings import Settings, load
from dev.machine.errors import DevError
from dev.machine.locking import exclusive
from dev.machine.progress import Progress

type Commands = "argparse._SubParsersAction[argparse.ArgumentParser]"
CHANGING = (
    "up",
    "down",
    "kill",
    "start",
    "build-tools",
)  # building images has a lock of its own: faults must not wait for it
EPILOG = """exit codes: 0 done, 1 failed (status: not all is well), 2 misused
environment: CLUSTER chooses the kind of cluster like --cluster; USHER_CACHE moves ~/.cache/usher"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command."""
    options = _parser().parse_args(arguments)
    settings, progress = load(), Progress()
    try:
        if options.command not in CHANGING:
            return _run(options, settings=settings, progress=progress)
        with exclusive(settings.home / "lock", progress=progress):
            return _run(options, settings=settings, progress=progress)
    except DevError as error:
        print(f"dev.cluster: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("dev.cluster: interrupted; the same command takes up where it stopped", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m dev.cluster",
        description="A real Kubernetes for development, the demo and end-to-end tests.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kinds = "kind (needs kind and Docker), current (your kubeconfig's context), local (native processes, needs root)"
    parser.add_argument("--cluster", choices=provider.KINDS, help=f"{kinds}; default: kind where it works, else local")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    _add_life(commands)
    _add_images(commands)
    _add_views(commands)
    _add_faults(commands)
    return parser


def _add_life(commands: Commands) -> None:
    up = commands.add_parser("up", help="bring the cluster up; safe to repeat, also after a killed run")
    up.add_argument("--yes", action="store_true", help="with --cluster current: do not ask")
    down = commands.add_parser("down", help="stop the cluster; its data is kept")
    down.add_argument("--purge", action="store_true", help="remove data, images and certificates too")
    commands.add_parser("status", help="show what runs")


def _add_images(commands: Commands) -> None:
    loading = commands.add_parser("load-image", help="copy images that were built here to the node")
    loading.add_argument("tags", nargs="+", metavar="NAME:TAG")
    building = commands.add_parser("build-images", help="build and load the project's images, if their files changed")
    building.add_argument("--only", metavar="NAME,...", help="operator, bot, postgres, redis")
    commands.add_parser("build-tools", help="build helm and kwok, and print the folder they lie in")


def _add_views(commands: Commands) -> None:
    logs = commands.add_parser("logs", help="print the last lines of a component's log, or of all")
    logs.add_argument("component", nargs="?", metavar="COMPONENT", help=", ".join(components.NAMES))
    logs.add_argument("-f", "--follow", action="store_true", help="and go on printing")
    commands.add_parser("kubeconfig", help="print the path of the administrator's kubeconfig")
    commands.add_parser("env", help='print KUBECONFIG and PATH: eval "$(python3 -m dev.cluster env)"')
    commands.add_parser("which", help="print which kind of cluster is used: kind, current or local")
    commands.add_parser("audit-log", help="print the path of the API server's audit log")


def _add_faults(commands: Commands) -> None:
    for name, does in (("kill", "kill a component at once"), ("start", "start a component again")):
        fault = commands.add_parser(name, help=f"{does} (fault tests; local only)")
        fault.add_argument("component", metavar="COMPONENT", help=", ".join(components.NAMES))


def _provider(options: argparse.Namespace, *, settings: Settings, progress: Progress) -> tuple[str, Provider]:
    chosen = provider.choose(settings, flag=options.cluster)
    if chosen == "kind":
        return chosen, Kind(settings, progress)
    if chosen == "current":
        return chosen, Current(settings, progress, confirmed=getattr(options, "yes", False))
    return chosen, Local(settings, progress)


def _run(options: argparse.Namespace, *, settings: Settings, progress: Progress) -> int:
    if options.command == "build-tools":
        binaries.ensure(settings, binaries.TOOLS, progress=progress)
        print(binaries.folder(settings, binaries.TOOLS))
        return 0
    name, cluster = _provider(options, settings=settings, progress=progress)
    if options.command == "status":
        return 0 if cluster.status() else 1
    if options.command == "up":
        cluster.up()
        provider.remember(settings, name)
    elif options.command == "down":
        cluster.down(purge=options.purge)
        provider.forget(settings)
    elif options.command == "which":
        print(name)
    else:
        _run_small(options, cluster)
    return 0


def _run_small(options: argparse.Namespace, cluster: Provider) -> None:
    match options.command:
        case "load-image":
            cluster.load_images(options.tags)
        case "build-images":
            cluster.build_images(options.only)
        case "logs":
            cluster.logs(options.component, follow=options.follow)
        case "kubeconfig":
            print(cluster.kubeconfig())
        case "env":
            _print_environment(cluster)
        case "audit-log":
            print(cluster.audit_log())
        case "kill":
            cluster.kill(options.component)
        case "start":
            cluster.start(options.component)


def _print_environment(cluster: Provider) -> None:
    print(f"export KUBECONFIG={shlex.quote(str(cluster.kubeconfig()))}")
    path = os.environ.get("PATH", "").split(":")
    missing = [str(folder) for folder in cluster.programs() if str(folder) not in path]
    if missing:
        print(f'export PATH={shlex.quote(":".join(missing))}:"$PATH"')


if __name__ == "__main__":
    sys.exit(main())
