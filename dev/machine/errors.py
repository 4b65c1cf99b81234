"""The one exception a command turns into a sentence.

Raised where the cause is known, caught once at the top of each command. Whatever else escapes is a defect
and keeps its traceback.
"""


class DevError(Exception):
    """Says in a sentence what is wrong and what is right."""
