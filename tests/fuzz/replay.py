"""Examines one mutant in this process, and shows what was done to it.

python -m tests.fuzz.replay SEED [--keep 0,2] [--save FOLDER] [--show]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.fuzz import mutations  # noqa: F401 - fills the registry
from tests.fuzz.corpus import load_corpus
from tests.fuzz.mutant import make_mutant
from tests.fuzz.trial import examine
from tests.fuzz.worker import limit_memory, quiet_logging


def main(arguments: list[str]) -> int:
    """Replays a seed; 1 if there are findings."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.replay", description="Replays one mutant.")
    parser.add_argument("seed", type=int)
    parser.add_argument("--keep", help="positions of the mutations to apply, separated by commas")
    parser.add_argument("--save", type=Path, help="a folder for the model and its data files")
    parser.add_argument("--show", action="store_true", help="print the model and the feeds")
    options = parser.parse_args(arguments)
    keep = None if options.keep is None else [int(p) for p in options.keep.split(",") if p]
    limit_memory()
    quiet_logging()
    mutant = make_mutant(options.seed, load_corpus(), keep)
    print(f"base: {mutant.base}", *mutant.log, sep="\n")
    if options.show:
        import onnx

        print(onnx.printer.to_text(mutant.proto), f"feeds: {mutant.feeds}", f"fetches: {mutant.fetches}", sep="\n")
    if options.save:
        options.save.mkdir(parents=True, exist_ok=True)
        for name, content in {"model.onnx": mutant.model(), **mutant.files}.items():
            (options.save / name).write_bytes(content)
    with tempfile.TemporaryDirectory() as folder:
        verdict = examine(mutant, Path(folder))
    print(f"outcome: {verdict.outcome} in {verdict.seconds:.2f} s")
    for finding in verdict.findings:
        print(f"FINDING {finding.key}\n{finding.detail}")
    return 1 if verdict.findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
