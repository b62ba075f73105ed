import pytest
from fusion_helpers import assert_same_results, floats, fused, ops

ERF = {
    "torch": "d = Div(x, {r2}) e = Erf(d) a = Add(e, {one}) m = Mul(x, a) y = Mul(m, {half})",
    "half first": "d = Div(x, {r2}) e = Erf(d) a = Add({one}, e) h = Mul({half}, x) y = Mul(h, a)",
    "tensorflow": "d = Mul(x, {ir2}) e = Erf(d) a = Add(e, {one}) m = Mul({half}, a) y = Mul(x, m)",
    "halves": "d = Mul({ir2}, x) e = Erf(d) m = Mul({half}, e) a = Add(m, {half}) y = Mul(a, x)",
    "distributed": "d = Div(x, {r2}) e = Erf(d) h = Mul(x, {half}) m = Mul(h, e) y = Add(h, m)",
    "divided": "d = Div(x, {r2}) e = Erf(d) a = Add(e, {one}) m = Mul(x, a) y = Div(m, {two})",
}
TANH = {
    "torch": "p = Pow(x, {three}) kp = Mul(p, {k}) s = Add(x, kp) i = Mul(s, {c}) t = Tanh(i) a = Add(t, {one}) "
    "h = Mul(x, {half}) y = Mul(h, a)",
    "products": "q = Mul(x, x) p = Mul(x, q) kp = Mul({k}, p) s = Add(x, kp) i = Mul({c}, s) t = Tanh(i) "
    "a = Add({one}, t) m = Mul(a, {half}) y = Mul(m, x)",
    "fast": "cx = Mul(x, {c}) kx = Mul({k}, x) q = Mul(kx, x) o = Add({one}, q) i = Mul(cx, o) t = Tanh(i) "
    "a = Add(t, {one}) h = Mul({half}, x) y = Mul(h, a)",
}
NUMBERS = {
    "r2": 1.4142135381698608,
    "ir2": 0.7071067690849304,
    "one": 1.0,
    "half": 0.5,
    "two": 2.0,
    "three": 3.0,
    "k": 0.044714998453855515,
    "c": 0.7978845834732056,
}


def _text(body: str, kind: str = "float", outputs: str = "", **changes: float) -> str:
    numbers = NUMBERS | changes
    constants = "".join(f"{n} = Constant<value = {kind} {{{v!r}}}>()\n" for n, v in numbers.items())
    formatted = body.format(**{n: n for n in numbers})
    return f"g ({kind}[N, 40] x) => ({kind}[N, 40] y{outputs}) {{\n{constants}{formatted}\n}}"


@pytest.mark.parametrize("form", ERF)
def test_gelu_with_erf_fuses_in_every_form(form: str) -> None:
    text = _text(ERF[form])
    model = fused(text, "fuse_gelu")
    assert ops(model) == ["Gelu"]
    assert model.graph.nodes[0].attr("approximate") == "none"
    assert_same_results(text, {"x": 3 * floats(5, 40)}, {"x": floats(0, 40)})


@pytest.mark.parametrize("form", TANH)
def test_gelu_with_tanh_fuses_in_every_form(form: str) -> None:
    text = _text(TANH[form])
    model = fused(text, "fuse_gelu")
    assert ops(model) == ["Gelu"]
    assert model.graph.nodes[0].attr("approximate") == "tanh"
    assert_same_results(text, {"x": 3 * floats(5, 40)})


@pytest.mark.parametrize(
    "changes",
    [{"r2": 1.4145}, {"one": 1.001}, {"half": 0.49}, {"half": -0.5}, {"r2": -1.4142135}],
    ids=str,
)
def test_other_constants_do_not_fuse(changes: dict[str, float]) -> None:
    text = _text(ERF["torch"], **changes)
    assert "Gelu" not in ops(fused(text, "fuse_gelu"))
    assert_same_results(text, {"x": floats(5, 40)})


@pytest.mark.parametrize("changes", [{"k": 0.0447}, {"c": 0.8}, {"three": 2.0}, {"one": 0.0}], ids=str)
def test_other_constants_of_the_tanh_form_do_not_fuse(changes: dict[str, float]) -> None:
    assert "Gelu" not in ops(fused(_text(TANH["torch"], **changes), "fuse_gelu"))


@pytest.mark.parametrize("name", ["d", "e", "a", "m"])
def test_intermediate_that_is_an_output_does_not_fuse(name: str) -> None:
    text = _text(ERF["torch"], outputs=f", float[N, 40] {name}")
    assert "Gelu" not in ops(fused(text, "fuse_gelu"))


def test_intermediate_that_is_used_elsewhere_does_not_fuse() -> None:
    text = _text(ERF["torch"] + " z = Neg(a)", outputs=", float[N, 40] z")
    assert "Gelu" not in ops(fused(text, "fuse_gelu"))
    assert_same_results(text, {"x": floats(5, 40)})


def test_float64_stays_as_it_is() -> None:
    assert "Gelu" not in ops(fused(_text(ERF["torch"], "double"), "fuse_gelu"))


def test_other_tensor_in_the_product_does_not_fuse() -> None:
    text = """g (float[5, 40] x, float[5, 40] w) => (float[5, 40] y) {
        r = Constant<value = float {1.4142135}>() one = Constant<value = float {1.0}>() half = Constant<value = float {0.5}>()
        d = Div(x, r) e = Erf(d) a = Add(e, one) m = Mul(w, a) y = Mul(m, half)
    }"""
    assert "Gelu" not in ops(fused(text, "fuse_gelu"))


@pytest.mark.parametrize("shape", ["[1, 1, 1]", "[40]"])
def test_constant_that_adds_dimensions_or_is_a_vector_does_not_fuse(shape: str) -> None:
    count = 40 if shape == "[40]" else 1
    half = ", ".join(["0.5"] * count)
    text = f"""g (float[5, 40] x) => (float y) {{
        r = Constant<value = float {{1.4142135}}>() one = Constant<value = float {{1.0}}>()
        half = Constant<value = float{shape} {{{half}}}>()
        d = Div(x, r) e = Erf(d) a = Add(e, one) m = Mul(x, a) y = Mul(m, half)
    }}"""
    assert "Gelu" not in ops(fused(text, "fuse_gelu"))
