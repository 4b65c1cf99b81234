"""Handles on processes: unlike a pid, a handle never comes to mean another process.

The two calls go to the kernel by number, because portable builds of Python, such as those that uv installs, have
neither os.pidfd_open nor signal.pidfd_send_signal.
"""

import ctypes
import os
import signal

# The numbers are the same on every architecture that Linux has had since 5.1.
PIDFD_SEND_SIGNAL = 424
PIDFD_OPEN = 434
_LIBC = ctypes.CDLL(None, use_errno=True)


def open_handle(pid: int) -> int:
    """A file descriptor that stands for the process. Raises ProcessLookupError when there is none."""
    return _call(PIDFD_OPEN, pid, 0)


def send_signal(handle: int, number: signal.Signals) -> None:
    """Send a signal. Raises ProcessLookupError when the process has ended."""
    _call(PIDFD_SEND_SIGNAL, handle, int(number), None, 0)


def _call(number: int, *arguments: "int | None") -> int:
    result = int(_LIBC.syscall(number, *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
