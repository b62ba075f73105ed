"""Child processes that import what this process must not: how they are started, talk, and are said to have ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import Any, TextIO

_CODE = (
    "import sys; sys.path[:] = sys.argv.pop(1).split('\\n'); "
    "from importlib import import_module; import_module(sys.argv.pop(1)).main(sys.argv[1:])"
)


def start_child(module: str, *arguments: str, **settings: Any) -> subprocess.Popen[str]:
    """A Python process with the `sys.path` of this one that calls `main(arguments)` of a module, in a session of its own.

    Args:
        settings: for `subprocess.Popen`; stdin and stdout are pipes of text.
    """
    command = [sys.executable, "-c", _CODE, "\n".join(sys.path), module, *arguments]
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
        **settings,
    )


def stop_child(process: subprocess.Popen[str]) -> None:
    """Ends a child, what it started with it, and waits for it."""
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def describe_exit(code: int) -> str:
    """`was ended by SIGSEGV`, `ended with exit code 3`."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def take_stdout() -> TextIO:
    """In a child: its stdout, to itself; whatever else is printed goes to stderr from now on."""
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return stream
