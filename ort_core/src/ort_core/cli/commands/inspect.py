"""Tell what a model is: inputs, outputs, operators, opsets, weights and where they are.

No session is created and no weight is read, so that this is quick for models of any size, and safe for models of any
origin. The exit code is 1 if the model cannot be run as it lies there, because data is missing or an operator does not
exist.

Examples:
  ort-core inspect model.onnx
  ort-core inspect model.onnx --op Conv --op com.microsoft::Attention
  ort-core inspect model.onnx --providers
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ort_core.cli.inspection.facts import ModelFacts, NodeFacts
    from ort_core.cli.inspection.support import Support

HELP = "tell what a model is, without loading its weights"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `ort-core inspect`."""
    parser.add_argument("model", metavar="MODEL", help="path of an ONNX model")
    parser.add_argument("--nodes", action="store_true", help="list every node with its inputs, outputs and attributes")
    parser.add_argument(
        "--op", action="append", default=[], metavar="NAME",
        help="list only the nodes of this operator, Conv or domain::Conv; may be repeated",
    )  # fmt: skip
    parser.add_argument("--initializers", action="store_true", help="list every constant, not only the largest")
    parser.add_argument(
        "--providers", action="store_true", help="ask each installed provider which nodes it takes (imports them)"
    )
    parser.add_argument("--json", action="store_true", help="print everything as JSON on stdout")


def run(args: argparse.Namespace) -> int:
    """Prints the facts, then what was asked for besides."""
    from ort_core.cli.inspection.facts import inspect_model, list_nodes
    from ort_core.cli.inspection.report import print_facts, print_nodes, print_support
    from ort_core.cli.usage import unknown_name

    facts, model = inspect_model(args.model)
    known = [o.operator for o in facts.operators]
    for name in args.op:
        if name not in known and name not in {label.partition("::")[2] for label in known}:
            raise unknown_name("operator", name, known)
    nodes = list_nodes(model, args.op) if args.nodes or args.op else None
    support = None
    if args.providers:
        from ort_core.cli.inspection.support import find_support

        support = find_support(model)
    if args.json:
        print(json.dumps(_document(facts, nodes, support, args.initializers)))
    else:
        print_facts(facts, all_constants=args.initializers)
        if nodes is not None:
            print_nodes(nodes)
        if support is not None:
            print_support(support)
    return 1 if facts.problems or (support is not None and support.problem) else 0


def _document(
    facts: ModelFacts, nodes: list[NodeFacts] | None, support: Support | None, all_constants: bool
) -> dict[str, Any]:
    from dataclasses import asdict

    from ort_core.cli.inspection.report import largest
    from ort_core.cli.inspection.weights import totals_by_type

    document = asdict(facts)
    constants = document.pop("constants")
    document["parameters"] = sum(c.parameters for c in facts.constants)
    document["constant_types"] = [asdict(total) for total in totals_by_type(facts.constants)]
    document["largest_constants"] = [asdict(constant) for constant in largest(facts.constants)]
    document["problems"] = list(facts.problems)
    if all_constants:
        document["constants"] = constants
    if nodes is not None:
        document["nodes"] = [asdict(node) for node in nodes]
    if support is not None:
        document["support"] = asdict(support)
    return document
