from __future__ import annotations

import numpy as np
import onnx.parser
import ort_core as ort
import pytest
from ort_core.providers.kernel_provider import KernelProvider
from ort_core.providers.spec import CompileContext, Executable, Partition

NAME = "ExampleExecutionProvider"
DENSE = """
<ir_version: 8, opset_import: ["" : 17]>
dense (float[N, 3] x, float[3, 4] w, float[4] b) => (float[N, 4] y) {
    product = MatMul (x, w)
    total = Add (b, product)
    y = Relu (total)
}
"""


def session(text: str, **options: object) -> ort.InferenceSession:
    model = onnx.parser.parse_model(text).SerializeToString()
    return ort.InferenceSession(model, providers=[(NAME, options)])


@pytest.fixture
def feeds() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal(s).astype(np.float32) for name, s in (("x", (5, 3)), ("w", (3, 4)), ("b", (4,)))}


def test_provider_is_available() -> None:
    assert NAME in ort.get_available_providers()


@pytest.mark.parametrize("fuse", [True, False])
def test_dense_layer_is_right_with_and_without_fusion(feeds: dict[str, np.ndarray], fuse: bool) -> None:
    with session(DENSE, fuse=fuse) as running:
        assert running.get_providers()[0] == NAME
        (result,) = running.run(None, feeds)
    np.testing.assert_allclose(result, np.maximum(feeds["x"] @ feeds["w"] + feeds["b"], 0), rtol=1e-5)
    assert result.dtype == np.float32


@pytest.mark.parametrize(("fuse", "kernels"), [(True, ["Dense"]), (False, ["MatMul", "Add", "Relu"])])
def test_fusion_leaves_one_kernel(monkeypatch: pytest.MonkeyPatch, fuse: bool, kernels: list[str]) -> None:
    compiled: list[str] = []
    compile_nodes = KernelProvider.compile

    def record(self: KernelProvider, partition: Partition, ctx: CompileContext) -> Executable:
        compiled.extend(node.op_type for node in partition.graph.nodes)
        return compile_nodes(self, partition, ctx)

    monkeypatch.setattr(KernelProvider, "compile", record)
    session(DENSE, fuse=fuse).close()
    assert compiled == kernels


def test_value_that_others_use_is_not_fused_away(feeds: dict[str, np.ndarray]) -> None:
    text = DENSE.replace("(float[N, 4] y)", "(float[N, 4] y, float[N, 4] total)")
    with session(text) as running:
        result, total = running.run(["y", "total"], feeds)
    np.testing.assert_array_equal(result, np.maximum(total, 0))


def test_attributes_reach_the_kernel() -> None:
    text = '<ir_version: 8, opset_import: ["" : 17]> g (float[N] x) => (float[N] y) { y = LeakyRelu <alpha = 0.5> (x) }'
    with session(text) as running:
        (result,) = running.run(None, {"x": np.array([-2, 4], np.float32)})
    np.testing.assert_array_equal(result, [-1, 4])


def test_misspelt_option_is_refused() -> None:
    with pytest.raises(ValueError, match="Did you mean 'fuse'"):
        session(DENSE, fusee=True)
