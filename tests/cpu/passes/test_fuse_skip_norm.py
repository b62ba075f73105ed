import numpy as np
import pytest
from fusion_helpers import assert_same_results, floats, fused, ops

LAYER = "y = LayerNormalization<epsilon = 0.001>(s, scale, shift)"
RMS = "y = RMSNormalization<epsilon = 0.001>(s, scale)"


def _text(body: str, outputs: str = "", x: str = "N, S, 40", r: str = "N, S, 40") -> str:
    weights = ", ".join(repr(round(0.1 * i, 1)) for i in range(40))
    return f"""g (float[{x}] x, float[{r}] r, float[40] scale, float[40] shift) => (float[A, B, C] y{outputs}) {{
        bias = Constant<value = float[40] {{{weights}}}>() {body}
    }}"""


def _feed(batch: int = 2, r_batch: int | None = None) -> dict[str, np.ndarray]:
    shape = (batch if r_batch is None else r_batch, 3, 40)
    return {"x": floats(batch, 3, 40), "r": floats(*shape, seed=1), "scale": floats(40), "shift": floats(40, seed=2)}


@pytest.mark.parametrize("norm", [LAYER, RMS])
def test_sum_goes_into_the_norm(norm: str) -> None:
    text = _text(f"s = Add(x, r) {norm}")
    model = fused(text, "fuse_skip_norm")
    assert ops(model) == ["SkipLayerNormalization"]
    assert model.graph.nodes[0].attr("simplified") == int(norm is RMS)
    assert_same_results(text, _feed(), _feed(0))


@pytest.mark.parametrize("norm", [LAYER, RMS])
def test_sum_that_is_used_elsewhere_is_a_second_output(norm: str) -> None:
    text = _text(f"s = Add(r, x) {norm}", ", float[N, S, 40] s")
    model = fused(text, "fuse_skip_norm")
    assert ops(model) == ["SkipLayerNormalization"]
    assert len(model.graph.nodes[0].outputs) == 2
    assert_same_results(text, _feed())


@pytest.mark.parametrize("total", ["b = Add(x, bias) s = Add(b, r)", "b = Add(bias, r) s = Add(x, b)"])
def test_bias_before_the_sum_goes_in_too(total: str) -> None:
    text = _text(f"{total} {LAYER}")
    model = fused(text, "fuse_skip_norm")
    assert ops(model) == ["SkipLayerNormalization"]
    assert len(model.graph.nodes[0].inputs) == 5
    assert_same_results(text, _feed())


def test_symbols_that_turn_out_to_differ_still_broadcast() -> None:
    text = _text(f"s = Add(x, r) {LAYER}", r="M, S, 40")
    assert ops(fused(text, "fuse_skip_norm")) == ["BroadcastLeading", "SkipLayerNormalization"]
    assert_same_results(text, _feed(2, 2), _feed(1, 4), _feed(4, 1))


@pytest.mark.parametrize(
    ("body", "r"),
    [
        (f"s = Add(x, r) {LAYER}", "1, S, 40"),
        (f"s = Add(x, r) {LAYER}", "N, S, 1"),
        (f"s = Add(x, r) {LAYER}", "S, 40"),
        (f"s = Add(x, bias) {LAYER}", "N, S, 40"),
        (f"s = Sub(x, r) {LAYER}", "N, S, 40"),
        (f"s = Add(x, r) {LAYER.replace('<', '<axis = 1, ')}", "N, S, 40"),
    ],
)
def test_near_misses_do_not_fuse(body: str, r: str) -> None:
    text = _text(body, x="N, 3, 40", r=r).replace("S, 40", "3, 40").replace("S, 1", "3, 1")
    assert "SkipLayerNormalization" not in ops(fused(text, "fuse_skip_norm"))


def test_mean_that_is_used_does_not_fuse() -> None:
    text = _text("s = Add(x, r) y, m = LayerNormalization(s, scale, shift)", ", float[N, S, 1] m")
    assert "SkipLayerNormalization" not in ops(fused(text, "fuse_skip_norm"))
