"""Models that break ONNX's rules, with the exception that each gets here (None: it is accepted)."""

from __future__ import annotations

BRANCH = "<then_branch = t () => ({0} a) {{ {1} }}, else_branch = e () => ({2} b) {{ {3} }}>"

CASES: dict[str, tuple[str, str | None, str]] = {
    "mixed_dtypes": ("g (float[2] x, double[2] y) => (float[2] z) { z = Add(x, y) }", "Fail", "its input 'B' is tensor"),
    "broadcast": ("g (float[2,3] x, float[2,4] y) => (float[2,3] z) { z = Add(x, y) }", "Fail", "Incompatible dimensions"),
    "matmul": ("g (float[2,3] x, float[2,4] y) => (float[2,4] z) { z = MatMul(x, y) }", "Fail", "Incompatible dimensions"),
    "behind": (
        "g (float[2,3] x, float[2,4] y) => (float[2,4] v) { w = Neg(x) z = MatMul(w, y) v = Relu(z) }", "Fail", "Incompatible"
    ),
    "concat_ranks": ("g (float[2,3] x, float[4] y) => (float[2,4] z) { z = Concat<axis = 0>(x, y) }", "Fail", "same rank"),
    "transpose": ("g (float[2,3] x) => (float[A,B] z) { z = Transpose<perm = [0, 1, 2]>(x) }", "Fail", "attribute perm"),
    "too_few_inputs": ("g (float[2] x) => (float[2] z) { z = Add(x) }", "InvalidGraph", "got 1 inputs, expected 2"),
    "too_many_inputs": ("g (float[2] x) => (float[2] z) { z = Relu(x, x) }", "InvalidGraph", "got 2 inputs, expected 1"),
    "too_many_outputs": ("g (float[2] x) => (float[2] z) { z, y = Relu(x) }", "InvalidGraph", "got 2 outputs, expected 1"),
    "expand_inputs": ("g (float[2] x) => (float[2] z) { z = Expand(x) }", "InvalidGraph", "got 1 inputs, expected 2"),
    "unknown_attribute": ("g (float[2] x) => (float[2] z) { z = Relu<foo = 1>(x) }", "InvalidGraph", "no attribute 'foo'"),
    "missing_attribute": ("g (float[2] x) => (float[2] z) { z = Cast(x) }", "InvalidGraph", "attribute 'to' is required"),
    "attribute_type": (
        "g (float[2] x) => (float[4] z) { z = Concat<axis = 1.0>(x, x) }", "InvalidGraph", "is of type FLOAT, expected INT"
    ),
    "unknown_operator": ("g (float[2] x) => (float[2] z) { z = Foo(x) }", "InvalidGraph", "no operator of that name"),
    "string_relu": ("g (string[2] x) => (string[2] z) { z = Relu(x) }", "InvalidGraph", "'X' does not take tensor(string)"),
    "bool_add": ("g (bool[2] x) => (bool[2] z) { z = Add(x, x) }", "InvalidGraph", "'A' does not take tensor(bool)"),
    "float_indices": ("g (float[2] x, float[1] i) => (float[1] z) { z = Gather(x, i) }", "InvalidGraph", "does not take"),
    "where_condition": ("g (float[2] x) => (float[2] z) { z = Where(x, x, x) }", "InvalidGraph", "'condition' does not take"),
    "left_out": ('g (float[2] x) => (float[2] z) { z = Add(x, "") }', "InvalidGraph", "input 1 ('B') is left out but required"),
    "softmax_axis": ("g (float[1,3] x) => (float[1,3] z) { z = Softmax<axis = 5>(x) }", "Fail", "'axis' must be in"),
    "expand": (
        "g (float[2,3] x) => (float[4,4] z) { s = Constant<value = int64[2] {4, 4}>() z = Expand(x, s) }", "Fail", "ncompat"
    ),
    "squeeze": (
        "g (float[2,3] x) => (float[3] z) { s = Constant<value = int64[1] {0}>() z = Squeeze(x, s) }", "Fail", "must be 1"
    ),
    "gemm": ("g (float[2,3] x, float[4,5] y) => (float[A,B] z) { z = Gemm(x, y) }", "Fail", "4 and 3"),
    "optional_input": ("g (float[2] x, double b) => (float[2] z) { z = Clip(x, b) }", "Fail", "'min' is tensor(double)"),
    "cast_to": ("g (float[2] x) => (float[2] z) { z = Cast<to = 99>(x) }", "Fail", "valid type"),
    "branch_types": (
        "g (float[2] x, bool c) => (float[2] z) { z = If(c)"
        + BRANCH.format("float[2]", "a = Relu(x)", "double[2]", "b = Cast<to = 11>(x)") + " }",
        "Fail",
        "node 'z'",
    ),
    "inside_branch": (
        "g (float[2] x, double[2] y, bool c) => (float[2] w) { w = If(c)"
        + BRANCH.format("float[2]", "z = Add(x, y) a = Neg(z)", "float[2]", "b = Relu(x)") + " }",
        "Fail",
        "its input 'B' is tensor(double)",
    ),
    "output_element": ("g (float[2] x) => (double[2] z) { z = Relu(x) }", "InvalidGraph", "declares tensor(double)"),
    "output_size": ("g (float[2,3] x) => (float[2,4] z) { z = Relu(x) }", None, ""),
    "output_rank": ("g (float[2,3] x) => (float[2] z) { z = Relu(x) }", None, ""),
    "inner_size": ("g (float[2,3] x) => (float[A,B] z) <float[2,4] y> { y = Relu(x) z = Neg(y) }", None, ""),
    "symbol_names": ("g (float[N,3] x, float[M,3] y) => (float[K,3] z) { z = Add(x, y) }", None, ""),
    "branch_shapes": (
        "g (float[2,3] x, bool c) => (float[A,B] z) { z = If(c)"
        + BRANCH.format("float[2,3]", "a = Relu(x)", "float[2]", "b = Constant<value = float[2] {1, 2}>()") + " }",
        None,
        "",
    ),
}  # fmt: skip
