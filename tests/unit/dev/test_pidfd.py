"""Handles on processes: a signal reaches the process that was meant, or nothing."""

import os
import signal
import subprocess

import pytest

from dev.machine import pidfd


def test_a_signal_reaches_the_process_of_the_handle() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        handle = pidfd.open_handle(process.pid)
        pidfd.send_signal(handle, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        with pytest.raises(ProcessLookupError):
            pidfd.send_signal(handle, signal.SIGKILL)
        os.close(handle)


def test_an_ended_process_has_no_handle() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    with pytest.raises(ProcessLookupError):
        pidfd.open_handle(process.pid)
