"""Provider names: which are first-party, which ONNX Runtime knows, what to install, and suggestions for misspelt ones."""

from __future__ import annotations

from collections.abc import Iterable

REFERENCE = "ReferenceExecutionProvider"
CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"

RESERVED = {CUDA: "ort-provider-cuda", CPU: "ort-provider-cpu", REFERENCE: "ort-core"}
"""First-party names and the only distribution that may provide each."""

FIRST_PARTY = frozenset({*RESERVED.values(), "ort-custom-ops"})
"""Distributions that `ORT_CORE_DISABLE_PLUGINS` and `ORT_CORE_PLUGINS` do not concern."""

KNOWN = {CUDA: "ort-provider-cuda[cuda12]", CPU: "ort-provider-cpu"}
"""First-party providers in packages of their own, and what to hand to `pip install`."""

ORT_ONLY = (
    "NvTensorRTRTXExecutionProvider",
    "TensorrtExecutionProvider",
    "MIGraphXExecutionProvider",
    "ROCMExecutionProvider",
    "OpenVINOExecutionProvider",
    "DnnlExecutionProvider",
    "VitisAIExecutionProvider",
    "QNNExecutionProvider",
    "NnapiExecutionProvider",
    "VSINPUExecutionProvider",
    "JsExecutionProvider",
    "CoreMLExecutionProvider",
    "ACLExecutionProvider",
    "ArmNNExecutionProvider",
    "DmlExecutionProvider",
    "RknpuExecutionProvider",
    "WebNNExecutionProvider",
    "WebGpuExecutionProvider",
    "XnnpackExecutionProvider",
    "CANNExecutionProvider",
    "TvmExecutionProvider",
    "AzureExecutionProvider",
)
"""Names that programs written for ONNX Runtime may list; a third party may publish a package for any of them."""

_NVIDIA = ("NvTensorRTRTXExecutionProvider", "TensorrtExecutionProvider")


def normalize_distribution(name: str) -> str:
    """The canonical spelling of a distribution name: `Ort_Provider.X` is `ort-provider-x`."""
    return name.lower().replace("_", "-").replace(".", "-")


def is_known(name: str) -> bool:
    """Whether the name is a provider's, installed or not."""
    return name in RESERVED or name in ORT_ONLY


def install_hint(name: str) -> str:
    """What to do to get a known provider that is not installed."""
    if name in KNOWN:
        return f'Install it: pip install "{KNOWN[name]}".'
    instead = f' For NVIDIA GPUs: pip install "{KNOWN[CUDA]}" and list {CUDA}.' if name in _NVIDIA else ""
    return f"Install a package that provides it for ort-core, or remove it from the list.{instead}"


def nearest_names(name: str, candidates: Iterable[str]) -> list[str]:
    """Up to three candidates that `name` may have meant, best first; case and the suffix of provider names do not count."""
    import difflib

    by_stem: dict[str, str] = {}
    for candidate in candidates:
        by_stem.setdefault(_stem(candidate), candidate)
    return [by_stem[s] for s in difflib.get_close_matches(_stem(name), by_stem, n=3, cutoff=0.6)]


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """A sentence with the nearest names and a leading space, or nothing."""
    found = nearest_names(name, candidates)
    return f" Did you mean {' or '.join(repr(n) for n in found)}?" if found else ""


def _stem(name: str) -> str:
    lower = name.lower()
    for marker in ("exec", "prov"):
        lower = lower.partition(marker)[0] or lower
    return lower
