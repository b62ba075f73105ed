"""The ratios as a picture (needs matplotlib)."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.compare.results import Case
from benchmarks.compare.timing import OURS


def plot_ratios(cases: Sequence[Case], path: str) -> None:
    """Writes bars of the time ratios with their quartiles; 1 is the faster peer.

    Raises:
        ImportError: matplotlib is not installed.
    """
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    pairs = [(case, case.ratio) for case in cases if case.ratio is not None]
    labels = [f"{case.model}\n{case.threads} thr., {case.peer}" for case, _ in pairs]
    middle = [ratio.median for _, ratio in pairs]
    errors = [[r.median - r.low for _, r in pairs], [r.high - r.median for _, r in pairs]]
    colors = ["#2a7f62" if value <= 1 else "#b5452c" for value in middle]
    figure, axes = plt.subplots(figsize=(8, 1 + 0.5 * max(len(pairs), 1)), layout="constrained")
    axes.barh(labels, middle, xerr=errors, color=colors, height=0.6, capsize=3)
    axes.axvline(1.0, color="black", linewidth=1)
    axes.invert_yaxis()
    axes.set_xlabel(f"time of {OURS} over that of the faster peer (below 1 is faster); whiskers: quartiles")
    figure.savefig(path, dpi=150)
    plt.close(figure)
