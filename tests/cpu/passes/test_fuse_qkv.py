import pytest
from fusion_helpers import assert_same_results, floats, fused, ops

K = 6


def _numbers(*shape: int, seed: int) -> str:
    return ", ".join(repr(round(float(v), 3)) for v in floats(*shape, seed=seed).reshape(-1))


CONSTANTS = "\n".join(
    f"w{i} = Constant<value = float[{K}, {n}] {{{_numbers(K, n, seed=i)}}}>() "
    f"b{i} = Constant<value = float[{n}] {{{_numbers(n, seed=i)}}}>()"
    for i, n in enumerate((8, 4, 5))
)


def _text(body: str) -> str:
    return f"""g (float[B, 3, {K}] x, float[B, 3, {K}] z) => (float[B, 3, M] q, float[B, 3, N] k, float[B, 3, O] v) {{
        {CONSTANTS} {body} }}"""


@pytest.mark.parametrize(
    ("body", "biases"),
    [
        ("q = MatMul(x, w0) k = MatMul(x, w1) v = MatMul(x, w2)", 0),
        ("a = MatMul(x, w0) q = Add(a, b0) b = MatMul(x, w1) k = Add(b1, b) c = MatMul(x, w2) v = Add(c, b2)", 1),
    ],
)
def test_products_of_one_operand_become_one_node(body: str, biases: int) -> None:
    text = _text(body)
    model = fused(text, "fuse_matmul", "fuse_qkv")
    assert ops(model) == ["MultiMatMul"]
    node = model.graph.nodes[0]
    assert node.attr("biases") == biases
    assert len(node.inputs) == (7 if biases else 4)
    assert_same_results(
        text, {"x": floats(2, 3, K), "z": floats(2, 3, K)}, {"x": floats(0, 3, K), "z": floats(0, 3, K)}
    )


def test_products_with_and_without_bias_stay_apart() -> None:
    text = _text("a = MatMul(x, w0) q = Add(a, b0) k = MatMul(x, w1) v = MatMul(x, w2)")
    assert sorted(ops(fused(text, "fuse_matmul", "fuse_qkv"))) == ["FusedMatMul", "MultiMatMul"]
    assert_same_results(text, {"x": floats(2, 3, K), "z": floats(2, 3, K)})


@pytest.mark.parametrize(
    "body",
    [
        "q = MatMul(x, w0) k = MatMul(z, w1) v = Relu(x)",
        "q = MatMul(x, w0) a = MatMul(x, w1) k = Relu(a) v = Relu(x)",
        "q = MatMul(x, w0) a = MatMul(x, w1) k = Mul(a, b1) t = Transpose<perm = [0, 2, 1]>(z) v = MatMul(x, t)",
    ],
)
def test_near_misses_stay_apart(body: str) -> None:
    text = _text(body)
    model = fused(text, "fuse_matmul", "fuse_qkv")
    wide = [n for n in model.graph.nodes if n.op_type == "MultiMatMul" and len(n.outputs) > 2]
    assert not wide
    assert_same_results(text, {"x": floats(2, 3, K), "z": floats(2, 3, K)})
