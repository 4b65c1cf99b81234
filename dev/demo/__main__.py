"""`make demo`: the whole main job, for real, and what a person sees of it.

The cluster stays up afterwards; the end says how to look around and how to remove it. A second run starts by
withdrawing what the first one left.
"""

import sys
import time

from dev.demo import stories
from dev.demo.installation import install
from dev.demo.screen import command, heading, say, show
from dev.machine.errors import DevError
from dev.machine.progress import Progress

USAGE = """usage: python3 -m dev.demo
Shows Usher's main job on the development cluster: about 2 minutes once the cluster is up, about 20 the first time.
CLUSTER=kind|current|local chooses the cluster (default: kind where Docker answers, else local processes)."""


def main() -> int:
    """Run the demo; 0 when everything shown went as it should."""
    if len(sys.argv) > 1:
        print(USAGE)
        return 0 if sys.argv[1] in ("-h", "--help") else 2
    began = time.monotonic()
    try:
        kubectl = install(Progress())
        stories.run_all(kubectl)
    except DevError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted; `make demo` takes up where it stopped", file=sys.stderr)
        return 130
    _say_goodbye(time.monotonic() - began)
    return 0


def _say_goodbye(seconds: float) -> None:
    heading(f"Done in {seconds:.0f} s. The cluster stays up.")
    say("Look around:")
    command('eval "$(python3 -m dev.cluster env)"')
    command("kubectl get br --watch")
    command("kubectl --namespace usher-system logs --selector app.kubernetes.io/component=operate --follow")
    say("Remove it:")
    command("make down         # stops the cluster and keeps its data; `make purge` removes that too")
    show("")


if __name__ == "__main__":
    sys.exit(main())
