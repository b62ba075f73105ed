"""Node cases of ONNX in which onnxruntime 1.31.1 gives something else than ONNX states, with the reason."""

_MASK = (
    "where keys are masked, it gives the lowest finite float in place of minus infinity as the output of the product"
)
_CORNERS = "it aligns the corners with the rounded size of the output, ONNX with the exact one"

DIFFERENCES = {
    "attention_4d_with_past_and_present_qk_matmul_bias_3d_mask_causal": _MASK,
    "attention_4d_with_past_and_present_qk_matmul_bias_4d_mask_causal": _MASK,
    "maxunpool_export_with_output_shape": "it takes the indices in the shape that is asked for, ONNX in that of the strides",
    "range_bfloat16_type_positive_delta": "it computes bfloat16 by ONNX's function body, which gives a matrix of one column",
    "resize_downsample_scales_cubic_align_corners": _CORNERS,
    "resize_downsample_scales_linear_align_corners": _CORNERS,
}
"""Case, without operator and opset, to reason."""
