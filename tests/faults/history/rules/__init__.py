"""One promise a file, and each finding a sentence. `RULES` makes a fresh one of each."""

from tests.faults.history.rules.audit import Audit
from tests.faults.history.rules.cap import Cap
from tests.faults.history.rules.forward import Forward
from tests.faults.history.rules.identity import Identity
from tests.faults.history.rules.pods import Pods
from tests.faults.history.rules.promised import Promised
from tests.faults.history.rules.rooms import Rooms
from tests.faults.history.rules.rule import Rule
from tests.faults.history.rules.terminal import Terminal
from tests.faults.history.rules.webhooks import Webhooks

RULES: tuple[type[Rule], ...] = (Cap, Rooms, Pods, Promised, Forward, Terminal, Identity, Audit, Webhooks)

__all__ = ["RULES", "Rule"]
