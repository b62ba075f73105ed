"""Picks the next word for each row of logits with one model: operators of the library beside ONNX's own."""

from __future__ import annotations

import sys

import numpy as np
from onnx import ModelProto, TensorProto, checker, helper, numpy_helper

import ort_core as ort

DOMAIN = "com.example.text_and_sampling"
WORDS = ["the", "a", "cat", "dog", "sat", "ran"]


def build_model() -> ModelProto:
    """Adjusts the logits of each word, keeps those that make up 80 %, and gives the best word of each row with its odds."""
    nodes = [
        helper.make_node("FusedScaleBias", ["logits", "scale", "bias"], ["adjusted"], domain=DOMAIN, axis=-1),
        helper.make_node("TopPMask", ["adjusted", "p"], ["masked", "kept"], domain=DOMAIN, min_keep=2),
        helper.make_node("Softmax", ["masked"], ["odds"], axis=-1),
        helper.make_node("ReduceMax", ["odds"], ["best_odds"], axes=[1], keepdims=0),
        helper.make_node("ArgMax", ["odds"], ["best"], axis=1, keepdims=0),
        helper.make_node(
            "FormatRows", ["best_odds", "kept"], ["odds_text"], domain=DOMAIN, separator=", ", labels=["odds ", "of "]
        ),
    ]
    constants = [
        numpy_helper.from_array(np.ones(len(WORDS), np.float32), "scale"),
        numpy_helper.from_array(np.array([-1, -1, 0, 0, 0, 0], np.float32), "bias"),
        numpy_helper.from_array(np.array([0.8], np.float32), "p"),
    ]
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", len(WORDS)])
    best = helper.make_tensor_value_info("best", TensorProto.INT64, ["N"])
    text = helper.make_tensor_value_info("odds_text", TensorProto.STRING, ["N"])
    graph = helper.make_graph(nodes, "next_word", [logits], [best, text], constants)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 2)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    checker.check_model(model)
    return model


def main(library: str) -> None:
    """Runs the model on ort-core with the operators of `library`."""
    options = ort.SessionOptions()
    options.register_custom_ops_library(library)
    session = ort.InferenceSession(build_model().SerializeToString(), options)
    logits = np.array([[2.0, 1.0, 1.5, 0.5, -1.0, 0.0], [0.0, 0.0, -2.0, -2.0, 3.0, 2.5]], np.float32)
    for best, text in zip(*session.run(None, {"logits": logits}), strict=True):
        print(f"{WORDS[best]}: {text}")


if __name__ == "__main__":
    main(sys.argv[1])
