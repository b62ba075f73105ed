from __future__ import annotations

import enum
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Optional

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ort_core.errors import InvalidArgument
from ort_core.providers.options import check_options_class, format_options, parse_options
from ort_core.providers.spec import NoOptions


class Search(enum.Enum):
    EXHAUSTIVE = "exhaustive"
    HEURISTIC = 1


@dataclass(frozen=True)
class Options:
    device_id: int = field(default=0, metadata={"min": 0, "max": 15})
    gpu_mem_limit: int | None = None
    enable_graph: bool = False
    fraction: float = field(default=1.0, metadata={"min": 0.0})
    strategy: Literal["kNextPowerOfTwo", "kSameAsRequested"] = "kNextPowerOfTwo"
    version: Literal[12, 13] = 12
    search: Search = Search.EXHAUSTIVE
    cache: Optional[Path] = None  # noqa: UP045
    label: str = ""
    stream: Any = None
    tier: str = field(default="a", metadata={"choices": ("a", "b")})

    def __post_init__(self) -> None:
        if self.enable_graph and self.fraction == 0:
            raise ValueError("enable_graph needs a fraction above 0")


def parse(**given: Any) -> Options:
    return parse_options(Options, given, "XExecutionProvider")


def test_no_options_give_the_defaults():
    assert parse() == Options()
    assert parse_options(NoOptions, {}, "X") == NoOptions()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("device_id", "3", 3),
        ("device_id", np.int64(4), 4),
        ("gpu_mem_limit", str(2 * 1024**3), 2 * 1024**3),
        ("gpu_mem_limit", "", None),
        ("gpu_mem_limit", "None", None),
        ("gpu_mem_limit", None, None),
        ("enable_graph", "1", True),
        ("enable_graph", 1, True),
        ("enable_graph", "True", True),
        ("enable_graph", np.True_, True),
        ("enable_graph", "off", False),
        ("fraction", "0.5", 0.5),
        ("fraction", 2, 2.0),
        ("strategy", "kSameAsRequested", "kSameAsRequested"),
        ("version", "13", 13),
        ("search", "EXHAUSTIVE", Search.EXHAUSTIVE),
        ("search", "heuristic", Search.HEURISTIC),
        ("search", 1, Search.HEURISTIC),
        ("search", Search.HEURISTIC, Search.HEURISTIC),
        ("cache", "/tmp/x", Path("/tmp/x")),
        ("cache", Path("y"), Path("y")),
        ("label", 7, "7"),
        ("tier", "b", "b"),
    ],
)
def test_values_are_converted_to_the_type_of_the_field(name, value, expected):
    result = getattr(parse(**{name: value}), name)
    assert result == expected
    assert type(result) is type(expected)


def test_objects_are_handed_through_where_any_is_allowed():
    stream = object()
    assert parse(stream=stream).stream is stream


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("device_id", -1, "expected an integer from 0 to 15"),
        ("device_id", "16", "expected an integer from 0 to 15"),
        ("device_id", "one", "expected an integer"),
        ("device_id", 1.5, "expected an integer"),
        ("device_id", True, "expected an integer"),
        ("device_id", None, "expected an integer"),
        ("gpu_mem_limit", "2GB", "expected an integer, or None"),
        ("enable_graph", "maybe", r"expected a bool \(1, 0, true or false\)"),
        ("enable_graph", 2, "expected a bool"),
        ("fraction", "-0.1", "expected a number of at least 0.0"),
        ("fraction", "nan", "expected a number"),
        ("strategy", "kOther", "expected one of kNextPowerOfTwo, kSameAsRequested"),
        ("version", 11, "expected one of 12, 13"),
        ("search", "BINARY", "expected one of EXHAUSTIVE, HEURISTIC"),
        ("cache", 5, "expected a path, or None"),
        ("label", b"x", "expected a string"),
        ("tier", "c", "expected one of a, b"),
    ],
)
def test_wrong_values_are_refused_with_provider_option_got_and_expected(name, value, expected):
    with pytest.raises(InvalidArgument, match=rf"XExecutionProvider option '{name}': got .*{expected}"):
        parse(**{name: value})


def test_unknown_option_is_refused_with_the_nearest_and_all_names():
    with pytest.raises(
        InvalidArgument, match=r"no option 'device_ids'. It has: device_id, .* Did you mean 'device_id'"
    ):
        parse(device_ids=1)
    with pytest.raises(InvalidArgument, match="It takes no options"):
        parse_options(NoOptions, {"a": 1}, "X")


def test_refusal_by_the_options_class_itself_is_an_invalid_argument():
    with pytest.raises(InvalidArgument, match="enable_graph needs a fraction above 0"):
        parse(enable_graph=1, fraction=0)


def test_formatted_options_are_strings_as_onnxruntime_shows_them():
    shown = format_options(Options(enable_graph=True, search=Search.HEURISTIC, cache=Path("c")))
    assert shown["enable_graph"] == "1"
    assert shown["gpu_mem_limit"] == ""
    assert shown["search"] == "HEURISTIC"
    assert shown["cache"] == "c"
    assert format_options(NoOptions()) == {}


@given(
    st.builds(
        Options,
        device_id=st.integers(0, 15),
        gpu_mem_limit=st.none() | st.integers(),
        fraction=st.floats(0.001, 1e300),
        enable_graph=st.booleans(),
        strategy=st.sampled_from(["kNextPowerOfTwo", "kSameAsRequested"]),
        version=st.sampled_from([12, 13]),
        search=st.sampled_from(Search),
    )
)
def test_formatted_options_parse_back_to_the_same(options):
    texts = {k: v for k, v in format_options(options).items() if k != "stream"}
    assert parse(**texts) == options


def test_options_classes_that_cannot_work_are_described():
    @dataclass
    class NoDefault:
        a: int

    @dataclass
    class Unsupported:
        a: list[int] = field(default_factory=list)

    @dataclass
    class Unresolved:
        a: "Nowhere" = None  # type: ignore[name-defined]  # noqa: F821, UP037

    assert "no default" in check_options_class(NoDefault)
    assert "unsupported type" in check_options_class(Unsupported)
    assert "do not resolve" in check_options_class(Unresolved)
    assert "expected a dataclass" in check_options_class(dict)
    assert check_options_class(Options) is None
    assert check_options_class(NoOptions) is None
