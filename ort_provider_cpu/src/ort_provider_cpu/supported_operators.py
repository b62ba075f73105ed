"""The table of native operators: `python -m ort_provider_cpu.supported_operators` prints it as Markdown."""

from __future__ import annotations

from collections.abc import Iterable

from ort_core.ir.types import ElementType
from ort_provider_cpu import _native
from ort_provider_cpu.provider import CpuProvider

_GROUPS = {
    "floats": ("FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16"),
    "integers": ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"),
    "float8": ("FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ"),
    "complex": ("COMPLEX64", "COMPLEX128"),
    "sub-byte": ("UINT4", "INT4", "FLOAT4E2M1", "FLOAT8E8M0", "UINT2", "INT2", "FLOAT6E2M3", "FLOAT6E3M2"),
}
_GROUP_CODES = {name: frozenset(int(ElementType[m]) for m in members) for name, members in _GROUPS.items()}


def markdown() -> str:
    """Every operator of ONNX with the element types that the engine computes it in, and those it leaves to others."""
    import onnx.defs

    native = {(domain, op): inputs for domain, op, inputs, _ in _native.registered_kernels()}
    lines = [
        "# Operators of the CPU provider",
        "",
        f"Of operator set {CpuProvider.written_for['']} of ONNX and {CpuProvider.written_for['ai.onnx.ml']} of `ai.onnx.ml`;",
        "models of other versions are brought to these when they are loaded. Where no native kernel fits, a node runs on the",
        "reference provider; `session.explain()` says where and why.",
        "",
        "| operator | element types of its inputs |",
        "| --- | --- |",
    ]
    missing = []
    names = sorted({(s.domain, s.name) for s in onnx.defs.get_all_schemas() if not s.deprecated})
    for domain, op in names:
        label = f"{domain}::{op}" if domain else op
        if (domain, op) in native:
            lines.append(f"| {label} | {'; '.join(_types(codes) for codes in native[domain, op])} |")
        elif domain in CpuProvider.written_for:
            missing.append(label)
    lines += ["", "Not native: " + ", ".join(missing) + ".", ""]
    return "\n".join(lines)


def _types(codes: Iterable[int]) -> str:
    left = set(codes)
    words = []
    for name, members in _GROUP_CODES.items():
        if members <= left:
            words.append(name)
            left -= members
    return ", ".join(words + [ElementType(code).onnx_name for code in sorted(left)])


if __name__ == "__main__":
    print(markdown(), end="")
