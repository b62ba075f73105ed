"""`OnnxRuntimeBackend`: preparing and running models through the interface of `onnx.backend.base.Backend`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import onnx
from onnx.backend.base import Backend

from ort_core.backend.backend_rep import OnnxRuntimeBackendRep
from ort_core.backend.node_model import make_node_model
from ort_core.backend.settings import SESSION_OPTIONS, apply_settings
from ort_core.errors import RuntimeException
from ort_core.options import SessionOptions
from ort_core.providers.names import REFERENCE
from ort_core.providers.registry import available_slots
from ort_core.providers.spec import Plugin
from ort_core.session import InferenceSession

ProviderList = Sequence[str | tuple[str, Mapping[str, Any]]]

_EXCLUDED = "ORT_ONNX_BACKEND_EXCLUDE_PROVIDERS"


class OnnxRuntimeBackend(Backend):
    """Runs models with `InferenceSession`.

    Attributes:
        providers: what models run on unless a call says otherwise; None for the providers of the device. A provider author
            sets it in a subclass, to hand that to `onnx.backend.test.BackendTest`.
        allowReleasedOpsetsOnly: whether `prepare` skips models of opsets that ONNX has not released; false if the
            environment has ALLOW_RELEASED_ONNX_OPSET_ONLY=0.
    """

    providers: ClassVar[ProviderList | None] = None
    allowReleasedOpsetsOnly: ClassVar[bool] = os.getenv("ALLOW_RELEASED_ONNX_OPSET_ONLY", "1") == "1"  # noqa: N815

    @classmethod
    def is_compatible(cls, model: Any, device: str | None = None, **kwargs: Any) -> bool:
        """Whether the device is there and, for an `onnx.ModelProto`, its opsets are released."""
        if isinstance(model, onnx.ModelProto) and not cls.is_opset_supported(model)[0]:
            return False
        return device is None or cls.supports_device(device)

    @classmethod
    def is_opset_supported(cls, model: onnx.ModelProto) -> tuple[bool, str]:
        """Whether ONNX has released the opsets that a model imports of ONNX's domains; if not, a message that says which."""
        if not cls.allowReleasedOpsetsOnly:
            return True, ""
        released = onnx.helper.OP_SET_ID_VERSION_MAP
        domains = {domain for domain, _ in released}
        for item in model.opset_import:
            domain = item.domain or "ai.onnx"
            if domain in domains and (domain, item.version) not in released:
                return False, (
                    f"Skipping this test: version {item.version} of {domain} is not released. "
                    "Set ALLOW_RELEASED_ONNX_OPSET_ONLY=0 to try it."
                )
        return True, ""

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Whether an available provider works on a device: `CPU`, `CUDA`, `GPU` for any accelerator; an index may follow."""
        kind = device.partition(":")[0].lower()
        return kind == "cpu" or any(_works_on(p, kind) for _, p in available_slots() if kind and p.device_types)

    @classmethod
    def prepare(
        cls, model: Any, device: str | None = None, *, providers: ProviderList | None = None, **kwargs: Any
    ) -> OnnxRuntimeBackendRep:
        """Makes a model ready to run.

        Args:
            model: a path, the bytes of a model, an `onnx.ModelProto` (which is checked with `onnx.checker`), an
                `InferenceSession`, or what `prepare` returned before.
            device: where to run; None leaves the choice to the session.
            providers: as of `InferenceSession`, instead of those of the device; without effect on a session.
            kwargs: attributes of `SessionOptions`, of which those that write files are refused; unknown names are ignored.
                Without effect on a session.

        Raises:
            RuntimeException: the device is not there, or an attribute is refused.
            onnx.checker.ValidationError: the `onnx.ModelProto` is not valid.
            unittest.SkipTest: it imports an opset that ONNX has not released.
        """
        if isinstance(model, OnnxRuntimeBackendRep):
            return model
        if isinstance(model, InferenceSession):
            return OnnxRuntimeBackendRep(model)
        options = apply_settings(SessionOptions(), kwargs, SESSION_OPTIONS)
        if device is not None and not cls.supports_device(device):
            found = sorted({"cpu", *(t for _, p in available_slots() for t in p.device_types)})
            raise RuntimeException(
                f"no available provider works on device {device!r}. Devices here: {', '.join(found)}. `ort-core providers` "
                "lists the providers and what they lack."
            )
        if isinstance(model, onnx.ModelProto):
            model = cls._checked(model)
        chosen = providers or cls.providers or _providers_on(device)
        return OnnxRuntimeBackendRep(InferenceSession(model, options, chosen, enable_fallback=False))

    @classmethod
    def run_model(cls, model: Any, inputs: Any, device: str | None = None, **kwargs: Any) -> Any:
        """Computes the outputs of a model once.

        Args:
            model: as of `prepare`.
            inputs: as of `OnnxRuntimeBackendRep.run`.
            kwargs: as of both.
        """
        return cls.prepare(model, device, **kwargs).run(inputs, **kwargs)

    @classmethod
    def run_node(
        cls,
        node: onnx.NodeProto,
        inputs: Any,
        device: str | None = None,
        outputs_info: Sequence[tuple[Any, Any]] | None = None,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        """Computes the outputs of one node.

        Args:
            inputs: a list or tuple of one value for each input, or the value itself if there is one input.
            outputs_info: dtype and shape of each output; not needed.
            kwargs: `opset_version` is that of the node's domain, by default the newest one; others as of `prepare`.

        Raises:
            InvalidArgument: the number of inputs or outputs does not fit.
        """
        values = inputs if isinstance(inputs, list | tuple) else [inputs]
        model, feed = make_node_model(node, values, outputs_info, kwargs.get("opset_version"))
        return tuple(cls.run_model(model.SerializeToString(), feed, device, **kwargs))

    @classmethod
    def _checked(cls, model: onnx.ModelProto) -> bytes:
        content: bytes = model.SerializeToString()
        onnx.checker.check_model(content)
        supported, message = cls.is_opset_supported(model)
        if not supported:
            import unittest

            raise unittest.SkipTest(message)
        return content


def _works_on(plugin: Plugin, kind: str) -> bool:
    """Whether a provider may run what was asked for on a device; without one, whether sessions use it by themselves."""
    if not plugin.device_types or not kind:
        return plugin.auto
    return kind == "gpu" or kind in plugin.device_types


def _providers_on(device: str | None) -> ProviderList | None:
    """The providers to list for a device; None leaves the choice to the session."""
    excluded = {name for name in os.environ.get(_EXCLUDED, "").split(",") if name}
    if device is None and not excluded:
        return None
    kind, _, index = (device or "").lower().partition(":")
    chosen: list[str | tuple[str, Mapping[str, Any]]] = []
    for slot, plugin in available_slots():
        if slot.name not in excluded and _works_on(plugin, kind):
            chosen.append((slot.name, {"device_id": index}) if plugin.device_types and index else slot.name)
    return chosen or [REFERENCE]
