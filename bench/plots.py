"""Plots of the records of one run, as PNG beside its JSON lines; needs matplotlib."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

Record = dict[str, Any]


def draw(records: list[Record], output: Path) -> list[Path]:
    """Draws what the records hold; gives the paths of the pictures, none without matplotlib."""
    if importlib.util.find_spec("matplotlib") is None:
        print("  no plots: pip install matplotlib")
        return []
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    paths = []
    for question, plot in _PLOTS.items():
        chosen = [record for record in records if record["question"] == question]
        if chosen:
            figure, axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
            plot(axes, chosen)
            environment = chosen[0]["environment"]
            figure.suptitle(
                f"{environment['cpu']}, one core, fastner {environment['versions']['fastner']}",
                fontsize="small",
            )
            path = output.with_name(f"{output.stem}-{question}.png")
            figure.savefig(path, dpi=150)
            pyplot.close(figure)
            paths.append(path)
    return paths


def _throughput(axes: Any, records: list[Record]) -> None:
    names = [f"{record['case']} [{record['engine']}]" for record in records]
    axes.barh(names[::-1], [record["tokens_per_second"] for record in records][::-1])
    axes.set_xlabel("tokens a second")


def _stages(axes: Any, records: list[Record]) -> None:
    parts = [record for record in records if "stage" in record]
    plans = list(dict.fromkeys(record["plan"] for record in parts))
    left = dict.fromkeys(plans, 0.0)
    stages = dict.fromkeys(record["stage"] for record in parts)
    for stage in sorted(stages, key="left over".__eq__):  # that one last
        shares = {record["plan"]: record["share"] for record in parts if record["stage"] == stage}
        widths = [100 * max(0.0, shares.get(plan, 0.0)) for plan in plans]
        axes.barh(plans, widths, left=list(left.values()), label=stage)
        left = {plan: left[plan] + width for plan, width in zip(plans, widths, strict=True)}
    axes.set_xlabel("percent of the whole call")
    axes.figure.legend(loc="outside lower center", ncols=5)


def _growth(axes: Any, records: list[Record]) -> None:
    for series in dict.fromkeys((record["case"], record["engine"]) for record in records):
        points = sorted(
            (record["tokens"], 1e6 * record["seconds_median"] / record["tokens"])
            for record in records
            if (record["case"], record["engine"]) == series
        )
        axes.plot(*zip(*points, strict=True), marker="o", label=f"{series[0]} [{series[1]}]")
    axes.set(xscale="log", xlabel="tokens", ylabel="µs a token", ylim=(0, None))
    axes.legend()


def _rivals(axes: Any, records: list[Record]) -> None:
    bars = axes.barh(
        [record["case"] for record in records][::-1],
        [record["tokens_per_second"] for record in records][::-1],
    )
    scores = ["" if r["f1"] is None else f"F1 {r['f1']:.1f}" for r in records][::-1]
    axes.bar_label(bars, scores, padding=3)
    axes.margins(x=0.15)  # room for the scores
    axes.set(xscale="log", xlabel="tokens a second, one core")


_PLOTS: dict[str, Callable[[Any, list[Record]], None]] = {
    "throughput": _throughput,
    "stages": _stages,
    "growth": _growth,
    "rivals": _rivals,
}
