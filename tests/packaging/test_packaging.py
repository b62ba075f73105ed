from __future__ import annotations

import itertools
import zipfile

import pytest

pytestmark = pytest.mark.packaging

EXAMPLE = "ExampleExecutionProvider"
REFERENCE = "ReferenceExecutionProvider"
RUN = """
import numpy as np
import onnx.parser
import ort_core as ort

model = onnx.parser.parse_model(
    '<ir_version: 8, opset_import: ["" : 17]> g (float[N] x) => (float[N] y) { t = Add (x, x) y = Relu (t) }'
).SerializeToString()
with ort.InferenceSession(model, providers=[%r]) as session:
    (y,) = session.run(None, {"x": np.array([-1, 2], np.float32)})
    print(session.get_providers()[0], y.tolist(), y.dtype)
"""
AVAILABLE = "import ort_core; print(*ort_core.get_available_providers())"


@pytest.mark.parametrize("name", ["ort-core", "ort-provider-example"])
def test_wheel_holds_one_typed_package_with_its_licence(wheels, name):
    with zipfile.ZipFile(wheels[name]) as wheel:
        files = wheel.namelist()
    module = name.replace("-", "_")
    assert f"{module}/py.typed" in files
    assert any(f.endswith(".dist-info/entry_points.txt") for f in files)
    assert any(".dist-info/licenses/LICENSE" in f for f in files)
    stray = [f for f in files if not f.startswith((f"{module}/", f"{module}-"))]
    assert stray == []


def test_no_two_distributions_own_one_path(wheels):
    owners: dict[str, str] = {}
    for name, path in wheels.items():
        with zipfile.ZipFile(path) as wheel:
            for file in wheel.namelist():
                assert owners.setdefault(file, name) == name


def test_core_alone_runs_on_the_reference_provider(wheels, new_environment):
    environment = new_environment()
    environment.pip("install", str(wheels["ort-core"]))
    assert environment.python(AVAILABLE) == REFERENCE
    assert environment.python(RUN % REFERENCE) == f"{REFERENCE} [0.0, 4.0] float32"
    assert EXAMPLE not in environment.script("ort-core", "providers")


@pytest.mark.parametrize("order", list(itertools.permutations(["ort-core", "ort-provider-example"])), ids="-then-".join)
def test_example_works_right_after_pip_install_in_either_order(wheels, new_environment, order):
    environment = new_environment()
    house = str(wheels["ort-core"].parent)
    for name in order:
        environment.pip("install", "--find-links", house, str(wheels[name]))
    assert environment.python(AVAILABLE).split() == [EXAMPLE, REFERENCE]
    assert environment.python(RUN % EXAMPLE) == f"{EXAMPLE} [0.0, 4.0] float32"
    assert EXAMPLE in environment.script("ort-core", "providers")
    environment.pip("uninstall", "-y", "ort-provider-example")
    assert environment.python(AVAILABLE) == REFERENCE
