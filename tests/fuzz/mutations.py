"""Every family of mutations: importing this module fills the registry."""

from tests.fuzz import (  # noqa: F401
    mutate_attributes,
    mutate_bombs,
    mutate_feeds,
    mutate_functions,
    mutate_names,
    mutate_structure,
    mutate_tensors,
    mutate_types,
    mutate_wire,
)  # fmt: skip
