"""The one exception a command turns into a sentence.

Raised where the cause is known, caught once at the top of each command. Whatever else escapes is a defect
and keeps its traceback.
"""


class DevError(Exception):
    """Says in a sentence what is wrong and what is right."""

    exit_code = 1


class MisuseError(DevError):
    """What was asked for does not exist; asking differently helps, trying again does not."""

    exit_code = 2
