"""Finds the passages of a folder of text files that are closest in meaning to a query.

Run as `python search.py FOLDER "QUERY" ["QUERY" ...]`; without a query, each line of the standard input is one.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime_extensions
from build_model import MODEL_FILE

import ort_core as ort


class Embedder:
    """The model of `build_model.py` in a session that knows the tokenizer's library."""

    def __init__(self, model: str | Path) -> None:
        options = ort.SessionOptions()
        options.register_custom_ops_library(onnxruntime_extensions.get_library_path())
        self.session = ort.InferenceSession(str(model), options)

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Texts to embeddings, float32 [N, H] of length one."""
        (embeddings,) = self.session.run(["embedding"], {"text": np.array(texts, dtype=object)})
        return np.asarray(embeddings)


@dataclass(frozen=True)
class Passage:
    """A paragraph of a file."""

    file: str
    text: str


def read_passages(folder: Path) -> list[Passage]:
    """The paragraphs of every `.txt` and `.md` file below a folder; a line of nothing but spaces ends a paragraph."""
    passages = []
    for path in sorted(p for p in folder.rglob("*") if p.suffix in {".txt", ".md"}):
        paragraph: list[str] = []
        for line in [*path.read_text(encoding="utf-8", errors="replace").splitlines(), ""]:
            if line.strip():
                paragraph.append(line.strip())
            elif paragraph:
                passages.append(Passage(path.relative_to(folder).as_posix(), " ".join(paragraph)))
                paragraph = []
    return passages


class Index:
    """Passages and their embeddings."""

    def __init__(self, passages: Sequence[Passage], embed: Embedder) -> None:
        self.passages = passages
        self.embed = embed
        self.embeddings = embed([p.text for p in passages])

    def search(self, query: str, count: int) -> list[tuple[float, Passage]]:
        """The best passage of each of the `count` closest files, with the cosine of its angle to the query."""
        scores = self.embeddings @ self.embed([query])[0]
        best: dict[str, tuple[float, Passage]] = {}
        for i in np.argsort(-scores, kind="stable"):
            best.setdefault(self.passages[i].file, (float(scores[i]), self.passages[i]))
        return list(best.values())[:count]


def main(arguments: Sequence[str] | None = None) -> int:
    """Answers the queries of a command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="search a folder of text files by meaning")
    parser.add_argument("folder", type=Path, help="the folder, searched with its subfolders for .txt and .md files")
    parser.add_argument("query", nargs="*", help="what to look for; without one, every line of the standard input")
    parser.add_argument("--count", type=int, default=3, help="how many files to show for a query (3)")
    parser.add_argument("--model", type=Path, default=MODEL_FILE, help="the model that build_model.py wrote")
    options = parser.parse_intermixed_args(arguments)
    if not options.model.exists():
        parser.error(f"{options.model} is not there; `python build_model.py` writes it")
    passages = read_passages(options.folder)
    if not passages:
        parser.error(f"no text in .txt or .md files below {options.folder}")
    index = Index(passages, Embedder(options.model))
    queries: Iterable[str] = options.query or (line.strip() for line in sys.stdin if line.strip())
    for query in queries:
        print(query)
        for score, passage in index.search(query, options.count):
            print(f"  {score:.3f}  {passage.file:20}  {textwrap.shorten(passage.text, 80, placeholder=' ...')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
