"""The conformance kit: `pytest --pyargs ort_core.testing --ort-provider NAME` tells how complete and how correct a provider is.

A test of the kit takes the fixture `target`, opens its models with `target.session(model)`, where no other provider computes
anything, and says with a marker what it is about::

    @pytest.mark.ort_operator("ai.onnx::Add")      # counts for the operator's score
    @pytest.mark.ort_contract("threads")           # belongs to a section of the report

A test may have both. They work on modules (`pytestmark`), classes, functions and parameters (`pytest.param(..., marks=...)`).
The first line of a test's docstring is its title in the report. A node that the provider declines raises `Declined`; a test
that does not catch it counts as declined, not as failed. `pytest.skip(reason)` says that a test does not concern the provider.
"""
