"""Tools for developing Usher: stores for integration tests and a Kubernetes for everything above them.

Nothing here is installed with Usher. Standard library only, so that it runs before any environment exists. A command
that is begun on an older Python than the project's is begun again on a fitting one (see dev/python).
"""

import os
import sys

if sys.version_info < (3, 12) and "dev.python" not in sys.orig_argv:
    from dev.python.choice import chosen_or_exit

    python = chosen_or_exit()
    os.execv(python, [python, *sys.orig_argv[1:]])
