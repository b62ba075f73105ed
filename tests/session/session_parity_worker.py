"""Run as a script with the name of a module that has ONNX Runtime's API; prints what it answers as JSON."""

from __future__ import annotations

import json

from session_parity_arguments import constructor, element_types, feeds, more_models, output_names, overridable
from session_parity_base import ANSWERS
from session_parity_settings import module, options, other_runs, session_settings
from session_parity_values import containers, metadata

for part in (
    constructor, output_names, feeds, element_types, overridable, containers, metadata, options, session_settings,
    other_runs, module, more_models,
):  # fmt: skip
    part()
print(json.dumps(ANSWERS))
