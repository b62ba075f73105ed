"""Writes `docs/conformance/*.md`: `python tests/conformance/write_reports.py [NAME ...]`."""

import sys
import tempfile

from kit_helpers import PROVIDERS, REPORTS, run_kit


def main(names):
    for name in names or PROVIDERS:
        with tempfile.TemporaryDirectory() as folder:
            report = f"--ort-report={REPORTS / name}.md"
            run = run_kit(folder, "-q", "--tb=short", "--ort-provider", PROVIDERS[name], report)
        print(run.stdout[-2000:] + run.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
