"""Upgrades of the domain ai.onnx.ml."""

from __future__ import annotations

from ort_core.ir.graph import Node
from ort_core.ir.types import ElementType
from ort_core.load.opset_rules.edit import element_of, first_element_unknown, put, refuse, take
from ort_core.load.opset_rules.registry import upgrade

_ML = "ai.onnx.ml"


@upgrade("LabelEncoder", to=2, domain=_ML, wants=first_element_unknown)
def label_encoder_keys(node: Node) -> None:
    """`classes_strings` served both ways; now keys and values are given."""
    classes = take(node, "classes_strings", ())
    element = element_of(node.inputs[0])
    if element is None and len(node.attributes) == 1:
        element = ElementType.STRING if "default_int64" in node.attributes else ElementType.INT64
    numbers = range(len(classes))
    if element is ElementType.STRING:
        put(node, keys_strings=classes, values_int64s=numbers)
    elif element is ElementType.INT64:
        put(node, keys_int64s=numbers, values_strings=classes)
    else:
        raise refuse(
            node, "whether it maps strings or numbers shows neither in the type of its input nor in its default."
        )


@upgrade("LabelEncoder", to=4, domain=_ML)
def label_encoder_first_key(node: Node) -> None:
    """Of equal keys the first one counted; now it is the last one."""
    keys = next((name for name in node.attributes if name.startswith("keys_")), None)
    values = next((name for name in node.attributes if name.startswith("values_")), None)
    if keys is None or values is None:
        return
    first: dict[object, object] = {}
    for key, value in zip(node.attributes[keys].value, node.attributes[values].value, strict=False):
        first.setdefault(key, value)
    if len(first) < len(node.attributes[keys].value):
        put(node, **{keys: tuple(first), values: tuple(first.values())})
