"""ONNX's own test runner on `ort_core.backend`: what it finds agrees with the conformance kit, which compares more strictly."""

import unittest
import warnings

import onnx.backend.test

from ort_core.backend import OnnxRuntimeBackend
from ort_core.testing.conformance.onnx_cases import load_cases
from ort_core.testing.conformance.onnx_runs import RANDOM_CASES

REAL = "OnnxBackendRealModelTest"
"""Models that have to be downloaded."""

NOT_COMPARABLE = {"test_loop16_seq_none"}
"""The runner takes the length of each tensor of a sequence, here of one without axes."""


class ReferenceBackend(OnnxRuntimeBackend):
    providers = ("ReferenceExecutionProvider",)

    @classmethod
    def supports_device(cls, device):
        return device == "CPU"


def test_the_official_runner_agrees_with_the_conformance_kit() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = onnx.backend.test.BackendTest(ReferenceBackend, __name__).test_cases
    load = unittest.defaultTestLoader.loadTestsFromTestCase
    suite = unittest.TestSuite(load(tests) for name, tests in found.items() if name != REAL)
    result = unittest.TestResult()
    suite.run(result)
    skipped = {test._testMethodName for test, _ in result.skipped}
    assert all(name.endswith("_cuda") for name in skipped)
    assert result.testsRun - len(skipped) == len(load_cases())
    failed = {test._testMethodName.removesuffix("_cpu") for test, _ in result.failures + result.errors}
    assert failed <= RANDOM_CASES | NOT_COMPARABLE
