from __future__ import annotations

from pathlib import Path

import pytest

from tests.packaging.conftest import ROOT, run

pytestmark = pytest.mark.packaging

EXAMPLE = ROOT / "examples" / "ort-ops-example"
RUN = """
import numpy as np
import onnx.parser
import ort_core as ort

model = onnx.parser.parse_model('''<ir_version: 10, opset_import: ["": 21, "example.text": 1]>
g (string[N] x) => (string[N] y) { y = example.text.NormalizeText(x) }''').SerializeToString()
with ort.InferenceSession(model) as session:
    print(session.run(None, {"x": np.array(["  A  b"], object)})[0].tolist())
"""


@pytest.fixture(scope="module")
def operator_wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheels of ort-custom-ops and of the example package of operators."""
    import sys

    house = tmp_path_factory.mktemp("operator_wheels")
    for project in (ROOT / "ort_custom_ops", EXAMPLE):
        run([sys.executable, "-m", "pip", "-q", "wheel", "--no-deps", "-w", str(house), str(project)])
    return house


def test_installed_package_of_operators_is_found(wheels, operator_wheels, new_environment):
    environment = new_environment()
    house = ["--find-links", str(wheels["ort-core"].parent), "--find-links", str(operator_wheels)]
    environment.pip("install", *house, "ort-ops-example[test]")
    assert environment.python(RUN) == "['a b']"
    environment.pip("uninstall", "-y", "ort-ops-example")
    assert "example.text::NormalizeText" in environment.python(
        f"try:\n{RUN.replace(chr(10), chr(10) + '    ')}\nexcept Exception as error: print(error)"
    )
