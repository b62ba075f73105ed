"""Runs ONNX's cases and the dtype sweep of the kit at each lower level of instructions: `python FILE [pytest options]`."""

import os
import subprocess
import sys

from ort_provider_cpu import _native

LEVELS = ("baseline", "avx2", "avx512")
TESTS = ("ort_core.testing.conformance.test_onnx_cases", "ort_core.testing.conformance.test_dtypes")

PROVIDER = ("--ort-provider", "CPUExecutionProvider", "--ort-ignore=tests/cpu/conformance.ignore")


def main(arguments: list[str]) -> int:
    below = [level for level in LEVELS if level in _native.supported_isas() and not _native.isa().startswith(level)]
    failed = []
    for level in below:
        print(f"ORT_CPU_ISA={level}", flush=True)
        command = [sys.executable, "-m", "pytest", *arguments, *PROVIDER, "--pyargs", *TESTS]
        if subprocess.run(command, env={**os.environ, "ORT_CPU_ISA": level}, check=False).returncode:
            failed.append(level)
    if failed:
        print(f"failed at: {', '.join(failed)}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
