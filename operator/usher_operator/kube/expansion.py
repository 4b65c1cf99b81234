"""Literal strings for the fields of a pod that Kubernetes expands: `env[].value`, `command` and `args`.

There `$(NAME)` becomes the value of an earlier variable and `$$` becomes `$`. A name, a passcode or a command that a
user chose must arrive as it was given, and must not read another variable.
"""


def literal(value: str) -> str:
    """A string that expands to `value`."""
    return value.replace("$", "$$")
