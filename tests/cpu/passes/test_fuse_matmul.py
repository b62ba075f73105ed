import numpy as np
import pytest
from fusion_helpers import assert_same_results, floats, fused, ops

from ort_core.ir.graph import Node

K, N = 6, 5


def _numbers(*shape: int) -> str:
    return ", ".join(repr(round(float(v), 3)) for v in floats(*shape).reshape(-1))


CONSTANTS = f"""
    w = Constant<value = float[{K}, {N}] {{{_numbers(K, N)}}}>() bias = Constant<value = float[{N}] {{{_numbers(N)}}}>()
    row = Constant<value = float[1, {N}] {{{_numbers(N)}}}>() column = Constant<value = float[3, 1] {{{_numbers(3)}}}>()
    wt = Constant<value = float[{N}, {K}] {{{_numbers(N, K)}}}>()
    cube = Constant<value = float[1, 1, 1, {N}] {{{_numbers(N)}}}>()
    two = Constant<value = float {{2.0}}>() zero = Constant<value = float {{0.0}}>() six = Constant<value = float {{6.0}}>()
"""


def _text(body: str, outputs: str = "", x: str = f"B, 3, {K}", r: str = f"B, 3, {N}") -> str:
    return f"g (float[{x}] x, float[{r}] r) => (float y{outputs}) {{ {CONSTANTS} {body} }}".replace(
        "float y", "float[P, Q, R] y"
    )


def _feed(batch: int = 2, r_batch: int | None = None) -> dict[str, np.ndarray]:
    return {"x": floats(batch, 3, K), "r": floats(batch if r_batch is None else r_batch, 3, N, seed=1)}


def _only(text: str) -> Node:
    model = fused(text, "fuse_matmul")
    assert ops(model) == ["FusedMatMul"]
    return model.graph.nodes[0]


@pytest.mark.parametrize("bias", ["Add(m, bias)", "Add(bias, m)", "Add(m, row)"])
def test_bias_goes_into_the_product(bias: str) -> None:
    text = _text(f"m = MatMul(x, w) y = {bias}")
    node = _only(text)
    assert node.inputs[2] is not None
    assert node.inputs[2].shape == (N,)
    assert_same_results(text, _feed(), _feed(0))


def test_scale_bias_residual_and_activation_go_into_one_node() -> None:
    text = _text("m = MatMul(x, w) s = Mul(m, two) b = Add(s, bias) t = Add(r, b) y = Relu(t)")
    node = _only(text)
    assert (node.attr("alpha"), node.attr("activation"), len(node.inputs)) == (2, "relu", 4)
    assert_same_results(text, _feed())


@pytest.mark.parametrize(
    ("activation", "name"),
    [
        ("Relu(m)", "relu"),
        ("LeakyRelu<alpha = 0.3>(m)", "leaky_relu"),
        ("Sigmoid(m)", "sigmoid"),
        ("Tanh(m)", "tanh"),
        ("HardSigmoid<alpha = 0.3>(m)", "hard_sigmoid"),
        ("HardSwish(m)", "hard_swish"),
        ("Gelu(m)", "gelu_erf"),
        ('Gelu<approximate = "tanh">(m)', "gelu_tanh"),
        ("Elu<alpha = 0.7>(m)", "elu"),
        ("Softplus(m)", "softplus"),
        ("Mish(m)", "mish"),
        ("Clip(m, zero, six)", "clip"),
        ("Clip(m, zero)", "clip"),
    ],
)
def test_activation_goes_into_the_product(activation: str, name: str) -> None:
    text = _text(f"m = MatMul(x, w) y = {activation}")
    assert _only(text).attr("activation") == name
    assert_same_results(text, _feed())


def test_symbols_that_turn_out_to_differ_still_broadcast() -> None:
    text = _text("m = MatMul(x, w) y = Add(m, r)", r=f"D, 3, {N}")
    assert ops(fused(text, "fuse_matmul")) == ["BroadcastLeading", "FusedMatMul"]
    assert_same_results(text, _feed(2, 2), _feed(1, 4), _feed(4, 1))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("m = Gemm(x, w, bias) y = Relu(m)", (0, 0, 1.0)),
        ("m = Gemm<transB = 1, alpha = 0.5>(x, wt, bias) y = Relu(m)", (0, 1, 0.5)),
        ("m = Gemm<beta = 0.5>(x, w, row) y = Relu(m)", (0, 0, 1.0)),
        ("m = Gemm<beta = 0.0>(x, w, two) y = Relu(m)", (0, 0, 1.0)),
        ("m = Gemm(x, w) b = Add(m, bias) y = Sigmoid(b)", (0, 0, 1.0)),
        ("t = Transpose<perm = [1, 0]>(r) m = Gemm<transA = 1>(r, w, bias) y = Relu(m)", (1, 0, 1.0)),
    ],
)
def test_gemm_with_activation(body: str, expected: tuple[int, int, float]) -> None:
    text = _text(body, x=f"3, {K}", r=f"{K}, 3").replace("float[P, Q, R] y", "float[P, Q] y")
    node = _only(text)
    assert (node.attr("transA"), node.attr("transB"), node.attr("alpha")) == expected
    assert_same_results(text, {"x": floats(3, K), "r": floats(K, 3)})


@pytest.mark.parametrize("addend", ["column", "two"])
def test_gemm_whose_c_is_no_bias_stays(addend: str) -> None:
    text = _text(f"m = Gemm(x, w, {addend}) y = Relu(m)", x=f"3, {K}").replace("float[P, Q, R] y", "float[P, Q] y")
    assert "Relu" in ops(fused(text, "fuse_matmul"))
    assert_same_results(text, {"x": floats(3, K), "r": floats(2, 3, N)})


@pytest.mark.parametrize(
    ("a", "b", "body", "flags"),
    [
        ([2, 4, 3], [2, 4, 5], "t = Transpose<perm = [0, 2, 1]>(x) y = MatMul(t, r)", (1, 0)),
        ([2, 3, 4], [2, 5, 4], "t = Transpose<perm = [0, 2, 1]>(r) y = MatMul(x, t)", (0, 1)),
        ([2, 3, 4], [2, 5, 4], "t = Transpose<perm = [0, 2, 1]>(r) m = MatMul(x, t) y = Div(m, two)", (0, 1)),
    ],
)
def test_transposed_operands_are_read_in_place(a: list[int], b: list[int], body: str, flags: tuple[int, int]) -> None:
    text = _text(body, x=", ".join(map(str, a)), r=", ".join(map(str, b)))
    node = _only(text)
    assert (node.attr("transA"), node.attr("transB")) == flags
    assert_same_results(text, {"x": floats(*a), "r": floats(*b, seed=1)})


def test_sum_of_two_products_becomes_the_residual_of_one() -> None:
    text = _text("m = MatMul(x, w) k = MatMul(x, w2) y = Add(m, k)").replace(
        "w = Constant", f"w2 = Constant<value = float[{K}, {N}] {{{_numbers(K, N)}}}>() w = Constant", 1
    )
    text = text.replace(_numbers(K, N), ", ".join(["0.5"] * (K * N)), 1)
    assert sorted(ops(fused(text, "fuse_matmul"))) == ["FusedMatMul", "MatMul"]
    assert_same_results(text, _feed())


@pytest.mark.parametrize(
    ("body", "r"),
    [
        ("m = MatMul(x, w) y = Add(m, cube)", f"B, 3, {N}"),
        ("m = MatMul(x, w) y = Add(m, column)", f"B, 3, {N}"),
        ("m = MatMul(x, w) y = Add(m, r)", f"1, 3, {N}"),
        ("m = MatMul(x, w) y = Add(m, r)", f"3, {N}"),
        ("m = MatMul(x, w) y = Add(m, r)", "B, 3, 1"),
        ("m = MatMul(x, w) y = Add(m, m)", f"B, 3, {N}"),
        ("m = MatMul(x, w) y = Mul(m, r)", f"B, 3, {N}"),
        ("m = MatMul(x, w) y = Div(two, m)", f"B, 3, {N}"),
        ("m = MatMul(x, w) y = Sub(m, bias)", f"B, 3, {N}"),
        ("m = MatMul(x, w) y = Exp(m)", f"B, 3, {N}"),
        ("m = MatMul(x, w) y = Clip(six, m)", f"B, 3, {N}"),
    ],
)
def test_near_misses_do_not_fuse(body: str, r: str) -> None:
    text = _text(body, r=r)
    if "cube" in body:
        text = text.replace("float[P, Q, R] y", "float[P, Q, R, S] y")
    if "Clip" in body:
        text = text.replace("y = Clip(six, m)", "k = ReduceMax<keepdims = 0>(m) y = Clip(r, k)")
    assert "FusedMatMul" not in ops(fused(text, "fuse_matmul"))


@pytest.mark.parametrize(("name", "kept"), [("m", ["MatMul", "Add", "Relu"]), ("b", ["FusedMatMul", "Relu"])])
def test_intermediate_that_is_an_output_ends_the_fusion(name: str, kept: list[str]) -> None:
    text = _text("m = MatMul(x, w) b = Add(m, bias) y = Relu(b)", f", float[P, Q, R] {name}")
    assert ops(fused(text, "fuse_matmul")) == kept
    assert_same_results(text, _feed())


VIEW = "rows = Constant<value = int64[4] {0, 3, 1, 5}>()"


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ("m = MatMul(x, w) v = Reshape(m, rows) b = Add(v, bias) y = Relu(b)", ["FusedMatMul", "Reshape"]),
        ("m = MatMul(x, w) b = Add(m, bias) v = Reshape(b, rows) s = Mul(v, two) y = Relu(v)", None),
        ("m = MatMul(x, w) s = Mul(m, two) v = Reshape(s, rows) y = Relu(v)", ["FusedMatMul", "Reshape"]),
        ("m = MatMul(x, w) v = Reshape(m, rows) y = Exp(v)", ["MatMul", "Reshape", "Exp"]),
        ("m = MatMul(x, w) v = Reshape(m, turned) y = Add(v, row3)", ["MatMul", "Reshape", "Add"]),
    ],
)
def test_bias_and_activation_after_a_reshape_of_the_rows(body: str, kept: list[str] | None) -> None:
    more = "turned = Constant<value = int64[4] {0, 1, 5, 3}>() row3 = Constant<value = float[3] {1.0, 2.0, 3.0}>()"
    text = _text(f"{VIEW} {more} {body}").replace("float[P, Q, R] y", "float[P, Q, R, S] y")
    if kept is not None:
        assert ops(fused(text, "fuse_matmul")) == kept
    assert_same_results(text, _feed())


def test_what_follows_an_activation_stays() -> None:
    text = _text("m = MatMul(x, w) a = Relu(m) y = Add(a, bias)")
    assert ops(fused(text, "fuse_matmul")) == ["FusedMatMul", "Add"]
    assert_same_results(text, _feed())


def test_float64_stays_as_it_is() -> None:
    text = "g (double[3, 4] x, double[4, 5] w) => (double[3, 5] y) { m = MatMul(x, w) y = Relu(m) }"
    assert ops(fused(text, "fuse_matmul")) == ["MatMul", "Relu"]
