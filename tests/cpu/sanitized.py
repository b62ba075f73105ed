"""Runs pytest with the runtimes of the sanitizers loaded before Python: `python FILE [pytest options]`."""

import os
import subprocess
import sys

RUNTIMES = ("libasan.so", "libubsan.so")
# Python itself keeps memory until the process ends; the allocator of the C++ objects is the system's.
OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "PYTHONMALLOC": "malloc",
}

DESELECTED = ("tests/cpu/test_hostile.py::test_running_out_of_memory_raises",)
"""Tests that limit the address space, of which the sanitizers take terabytes."""


def main(arguments: list[str]) -> int:
    found = [
        subprocess.run(["gcc", f"-print-file-name={name}"], check=True, capture_output=True, text=True).stdout.strip()
        for name in RUNTIMES
    ]
    environment = {**os.environ, **OPTIONS, "LD_PRELOAD": " ".join(found)}
    command = [sys.executable, "-m", "pytest", *arguments, *(f"--deselect={test}" for test in DESELECTED)]
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
