"""Facts about the runtime itself."""

from __future__ import annotations

ORT_API_VERSION = "1.31.1"
"""The version of ONNX Runtime whose Python API this package follows."""


def get_version_string() -> str:
    """The version of the ONNX Runtime API that is followed: packages that ask for it decide by it what they may call."""
    return ORT_API_VERSION


def get_build_info() -> str:
    """One line about this build."""
    from ort_core import __version__

    return f"ORT Build Info: ort-core={__version__}, api={ORT_API_VERSION}, build type=Release"


def get_device() -> str:
    """`GPU` if an available provider has device memory of its own, `CPU` otherwise."""
    from ort_core.providers.registry import available_slots

    return "GPU" if any(plugin.device_types for _, plugin in available_slots()) else "CPU"


def has_collective_ops() -> bool:
    """Whether collective (multi-process) operators are built in: they are not."""
    return False


def enable_telemetry_events() -> None:
    """Does nothing: this package has no telemetry."""


def disable_telemetry_events() -> None:
    """Does nothing: this package has no telemetry."""


def preload_dlls(cuda: bool = True, cudnn: bool = True, msvc: bool = True, directory: str | None = None) -> None:
    """Does nothing: a provider finds the libraries that it needs by itself, when its first session is created."""
