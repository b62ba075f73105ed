"""What ort-core imports to learn of the provider; it must stay light."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from ort_core.providers.names import CPU
from ort_core.providers.spec import Availability, Finding, Plugin, Provider, SessionEnv

ISA_VARIABLE = "ORT_CPU_ISA"
"""Environment variable: no instructions beyond this level are used."""

ISA_LEVELS = ("baseline", "avx2", "avx512", "avx512_vnni", "avx512_bf16")


@dataclass(frozen=True, slots=True)
class CpuOptions:
    """Options of the provider.

    Attributes:
        use_arena: keep the memory of a run for the next one, if `SessionOptions.enable_cpu_mem_arena` is on as well.
        winograd: compute 3x3 convolutions by Winograd's algorithm where that is faster; its results differ from the direct sum
            by up to about 1e-4 of the output's range.
        low_memory: use the weights of matrix products as they are in the model instead of packed copies, and no Winograd, whose
            weights are larger; slower.
    """

    use_arena: bool = True
    winograd: bool = True
    low_memory: bool = False


class CpuPlugin(Plugin):
    """The installed provider."""

    name: ClassVar[str] = CPU
    api: ClassVar[tuple[int, int]] = (1, 0)
    auto: ClassVar[bool] = True
    options: ClassVar[type] = CpuOptions

    def probe(self) -> Availability:
        """Works wherever its extension module does; that is loaded when a session needs it."""
        level = os.environ.get(ISA_VARIABLE)
        if level is not None and level not in ISA_LEVELS:
            return Availability(
                False, f"{ISA_VARIABLE} is '{level}'", f"Unset it, or set one of {', '.join(ISA_LEVELS)}."
            )
        return Availability(True)

    def doctor(self) -> Iterable[Finding]:
        """Whether the extension loads, and which instructions it uses."""
        try:
            from ort_provider_cpu import _native
        except ImportError as error:
            yield Finding(
                "native extension",
                False,
                str(error),
                "pip install --force-reinstall ort-provider-cpu",
            )
        else:
            levels = ", ".join(_native.supported_isas())
            yield Finding("native extension", True, f"instructions: {_native.isa()} (this processor has: {levels})")

    def create(self, options: CpuOptions, env: SessionEnv) -> Provider:
        """The provider of one session."""
        from ort_provider_cpu.provider import CpuProvider

        return CpuProvider(self.name, options, env)


plugin = CpuPlugin()
