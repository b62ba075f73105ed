"""Options: what is declared is accepted and takes effect, anything else is refused by name."""

from __future__ import annotations

import dataclasses
import difflib
import enum
import math
import typing
from typing import Any

import pytest

from ort_core.errors import EPFail, Fail, InvalidArgument
from ort_core.providers.options import check_options_class, format_options
from ort_core.providers.spec import option_fields
from ort_core.testing.conformance.contracts.cases import Case
from ort_core.testing.conformance.contracts.checks import check_results
from ort_core.testing.conformance.contracts.claims import Claims, open_case
from ort_core.testing.conformance.target import Target

pytestmark = pytest.mark.ort_contract("options")


NO_DEVICE = 1 << 30


class _Unusable:
    """A value that is of no option's type."""

    def __repr__(self) -> str:
        return "<unusable>"


def _with(target: Target, options: dict[str, Any]) -> Target:
    return dataclasses.replace(target, options={**target.options, **options})


def _kind(plugin: Any, name: str) -> Any:
    """The type of an option without `| None`."""
    hint = typing.get_type_hints(plugin.options)[name]
    kinds = [a for a in typing.get_args(hint) if a is not type(None)]
    return kinds[0] if type(None) in typing.get_args(hint) and len(kinds) == 1 else hint


def _wrong_values(plugin: Any, field: dataclasses.Field[Any]) -> list[Any]:
    """Values that an option must refuse."""
    kind = _kind(plugin, field.name)
    wrong: list[Any] = [_Unusable()]
    if kind in (bool, int, float):
        wrong += ["no-such-value", [1]]
    if kind is int:
        wrong += [1.5, True]
    if kind is float:
        wrong.append(math.nan)
    chosen = typing.get_origin(kind) is typing.Literal or "choices" in field.metadata
    if chosen or (isinstance(kind, type) and issubclass(kind, enum.Enum)):
        wrong.append("no-such-choice")
    if "min" in field.metadata:
        wrong.append(field.metadata["min"] - 1)
    if "max" in field.metadata:
        wrong.append(field.metadata["max"] + 1)
    if field.name == "device_id":
        wrong += [-1, NO_DEVICE]
    return wrong


def _fields(claims: Claims) -> dict[str, dataclasses.Field[Any]]:
    fields = {name: field for name, field in option_fields(claims.plugin.options).items() if field.init}
    if not fields:
        pytest.skip(f"{claims.target.name} declares no options")
    return fields


def test_options_are_declared(claims: Claims) -> None:
    """The options are a dataclass of typed fields with defaults."""
    assert check_options_class(claims.plugin.options) is None


def test_defaults_are_accepted(target: Target, claims: Claims, sample: Case) -> None:
    """Every default is accepted: as it is, and as the string that ONNX Runtime's API has."""
    _fields(claims)
    defaults = claims.plugin.options()
    texts = format_options(defaults)
    values = {name: getattr(defaults, name) for name in texts}
    feeds = sample.feeds(1)
    for options in (*({k: v} for k, v in values.items()), *({k: v} for k, v in texts.items()), values, texts):
        with open_case(_with(target, options), sample) as session:
            check_results(session.run(None, feeds), sample.expected(feeds))
            shown = session.get_provider_options()[target.name]
            assert {name: shown[name] for name in options} == {name: texts[name] for name in options}


def test_wrong_values_are_refused(target: Target, claims: Claims, sample: Case) -> None:
    """A value of a wrong type or out of range raises InvalidArgument that names the option."""
    for name, field in _fields(claims).items():
        for value in _wrong_values(claims.plugin, field):
            text = str(_refusal(_with(target, {name: value}), sample, value))
            assert name in text or value == NO_DEVICE, f"the message does not name {name}: {text}"


def _refusal(target: Target, sample: Case, value: Any) -> Exception:
    """How the provider refuses an option; that a device does not exist may also be a failure of its own."""
    try:
        open_case(target, sample).close()
    except (InvalidArgument, Fail, EPFail) as error:
        if isinstance(error, InvalidArgument) or value == NO_DEVICE:
            return error
        raise
    raise AssertionError(f"{value!r} is accepted: {dict(target.options)}")


def test_unknown_options_are_refused(target: Target, claims: Claims, sample: Case) -> None:
    """An unknown or misspelt option raises InvalidArgument that names it, and the one that may be meant."""
    known = list(option_fields(claims.plugin.options))
    for name in ("no_such_option", *(f"{name}s" for name in known), *(name.upper() for name in known)):
        with pytest.raises(InvalidArgument) as caught:
            open_case(_with(target, {name: "1"}), sample)
        text = str(caught.value)
        assert name in text
        for near in difflib.get_close_matches(name, known, 1):
            assert near in text


def test_device_id_takes_effect(target: Target, claims: Claims, sample: Case) -> None:
    """The option device_id decides where a session computes."""
    if "device_id" not in _fields(claims) or claims.device.is_host:
        pytest.skip("the provider has no option device_id for a device of its own")
    feeds = sample.feeds(2)
    computed = []
    for index in (0, 1):
        try:
            session = open_case(_with(target, {"device_id": index}), sample)
        except (InvalidArgument, Fail, EPFail):
            continue
        with session:
            check_results(session.run(None, feeds), sample.expected(feeds))
            assert {p.device for p in session.explain().partitions} == {f"{claims.device.type}:{index}"}
            computed.append(index)
    assert computed, "no session could be made with a device_id"
