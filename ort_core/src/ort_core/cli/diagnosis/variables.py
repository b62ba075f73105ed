"""Environment variables that change what happens, or that somebody may believe to do so."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping

from ort_core.cli.diagnosis.check import Check

OWN = {
    "ORT_CORE_DISABLE_PLUGINS": "switches off every plugin of a third party",
    "ORT_CORE_PLUGINS": "only the listed plugins of third parties are used",
    "ORT_CORE_DUMP": "logs what stages of session creation produced (optimize, partition, plan)",
    "ORT_CORE_DEBUG": "checks the graph after every pass, which takes time",
}
"""The variables that this package reads, with their effect."""

_FOREIGN = {
    "CUDA_VISIBLE_DEVICES": "hides GPUs that it does not list",
    "NVIDIA_VISIBLE_DEVICES": "hides GPUs from the container",
    "OPENBLAS_NUM_THREADS": "threads of numpy's matrix products, which the reference provider uses",
    "MKL_NUM_THREADS": "threads of numpy's matrix products where it is built on MKL",
    "OMP_NUM_THREADS": "not read by ort-core: set SessionOptions.intra_op_num_threads",
    "PYTHONPATH": "comes before installed packages",
    "LD_LIBRARY_PATH": "may let other libraries be found than those of the installed packages",
    "LD_PRELOAD": "is loaded into every process",
}


def check_variables(environment: Mapping[str, str] | None = None) -> Iterator[Check]:
    """One note for each variable that is set."""
    environment = os.environ if environment is None else environment
    for name in sorted(environment):
        if name in OWN:
            effect = OWN[name]
        elif name.startswith("ORT_CORE_"):
            near = difflib.get_close_matches(name, OWN, n=1, cutoff=0.8)
            effect = "nothing reads it." + (f" Did you mean {near[0]!r}?" if near else "")
        elif name.startswith("ORT_"):
            effect = "not read by ort-core; onnxruntime or a plugin may read it"
        elif name in _FOREIGN:
            effect = _FOREIGN[name]
        else:
            continue
        yield Check("environment", name, "note", f"{environment[name]!r}: {effect}")
