"""Pictures of a model: its CRF's transition scores and its learning curves; needs matplotlib.

Each function returns a figure for `save`. Figures are drawn without pyplot: no global state, no
window, and matplotlib's settings are left alone.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastner.errors import DependencyError, InputError, install_hint
from fastner.files import atomic_write
from fastner.strict import parse_json, refuse
from fastner.tags import TagScheme, allowed, split_tag

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")
MAX_TAGS = 100  # no screen shows more
MAX_EPOCHS = 100_000

_FAINT, _HATCH, _PALE = "#656d76", "#ccd3da", "#eef1f4"
_BLUE, _ORANGE = "#0969da", "#bc4c00"


def transitions_figure(
    tags: Sequence[str],
    scheme: TagScheme,
    *,
    start: NDArray[np.floating[Any]],
    transitions: NDArray[np.floating[Any]],
    end: NDArray[np.floating[Any]],
) -> Figure:
    """Heat map of a CRF's scores: start [K], transitions [K, K] and end [K], all finite.

    Rows are the start of a sentence and the tags that are left, columns the tags that are entered
    and the end of the sentence: O first, then the tags of each label. What the scheme forbids is
    hatched, whatever its score. Raises InputError for tags that are not of the scheme, or too many.
    """
    if len(tags) > MAX_TAGS:
        raise InputError(f"expected at most {MAX_TAGS} tags to draw, got {len(tags)}")
    order = sorted(range(len(tags)), key=lambda i: _place(tags[i]))
    tags = [tags[i] for i in order]
    scores = _grid(start, transitions, end, order)
    legal = _grid(*allowed(tags, scheme), range(len(tags)))
    limit = max(float(np.abs(scores[legal]).max(initial=0)), 1e-9)

    size = len(scores)
    figure = _figure(0.48 * size + 3.0, 0.48 * size + 1.6)
    axes = figure.add_subplot(aspect="equal", ylim=(size, 0))
    mesh = axes.pcolormesh(
        np.where(legal, scores, np.nan),
        cmap="RdBu_r",
        vmin=-limit,
        vmax=limit,
        edgecolors="white",
        linewidth=0.8,
    )
    for row, column in np.argwhere(legal):
        score = scores[row, column]
        text = f"{score:.2f}".replace("-0.00", "0.00").replace("-", "−")
        dark = np.dot(mesh.cmap(mesh.norm(score))[:3], (0.3, 0.59, 0.11)) < 0.45  # its luma
        color = "white" if dark else "black"
        axes.text(column + 0.5, row + 0.5, text, color=color, fontsize=8.5, ha="center",
                  va="center")  # fmt: skip
    forbidden = ~legal
    forbidden[0, -1] = False  # from start to end: not a transition at all
    if forbidden.any():
        _hatch(axes, forbidden)
        axes.legend([f"forbidden by {scheme.value}"], loc="upper left", bbox_to_anchor=(0, 0),
                    borderaxespad=0.6, borderpad=0, frameon=False)  # fmt: skip
    _name_cells(axes, tags)
    axes.set_title("Transition scores", loc="left", pad=12, fontsize=13, fontweight="bold")
    bar = figure.colorbar(mesh, ax=axes, shrink=0.5, aspect=20, pad=0.03)
    bar.outline.set_visible(False)
    bar.set_label("score (nats)")
    return figure


def history_figure(history: bytes, where: str) -> Figure:
    """Learning curves out of a bundle's history.json: dev F1 and training loss by epoch.

    The best epoch, whose weights were kept, is marked. Raises BundleError, naming `where`, for
    another content.
    """
    content = parse_json(history, where).members()
    if "epochs" not in content:
        refuse(where, "the key 'epochs', got none")
    epochs = [epoch.members() for epoch in content["epochs"].elements(MAX_EPOCHS)]
    if not epochs or any(not {"loss", "f1"} <= epoch.keys() for epoch in epochs):
        refuse(where, "a list of epochs, each with its loss and f1")
    loss, f1 = (np.array([epoch[key].number() for epoch in epochs]) for key in ("loss", "f1"))
    best = int(f1.argmax())  # the first of equals, as training has it
    numbers = np.arange(1, len(epochs) + 1)

    figure = _figure(8, 5.4)
    figure.suptitle("Learning curves", x=0, ha="left", fontsize=13, fontweight="bold")
    upper, lower = figure.subplots(2, sharex=True, height_ratios=(3, 2))
    for axes, values, color, name in (
        (upper, 100 * f1, _BLUE, "entity F1 on dev (%)"),
        (lower, loss, _ORANGE, "loss in training (nats a sentence)"),
    ):
        marker = "o" if len(epochs) <= 60 else ""
        axes.plot(numbers, values, color=color, linewidth=1.8, marker=marker, markersize=3.5,
                  clip_on=False)  # fmt: skip
        axes.axvline(best + 1, color=_FAINT, linewidth=1, linestyle=(0, (4, 3)), zorder=0)
        axes.set_title(name, loc="left", fontsize=10, color=color)
        axes.grid(axis="y", color=_PALE)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set_color(_HATCH)
        axes.tick_params(length=0)
        axes.margins(y=0.12)
    upper.plot(best + 1, 100 * f1[best], color=_BLUE, marker="o", markersize=8)
    late = best > len(epochs) / 2
    upper.annotate(
        f"best: {100 * f1[best]:.2f} after epoch {best + 1}",
        (best + 1, 100 * f1[best]),
        xytext=(-8 if late else 8, 7),
        textcoords="offset points",
        ha="right" if late else "left",
    )
    lower.set(xlabel="epoch", xlim=(0.5, len(epochs) + 0.5), ylim=(min(0, loss.min()), None))
    lower.locator_params(axis="x", integer=True)
    return figure


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Writes the figure as PNG, SVG or PDF, by the ending of `path`.

    What was there stays whole until the picture takes its place. Raises InputError for another
    ending and OSError where the disk refuses.
    """
    ending = os.path.splitext(path)[1].lower()
    if ending not in FORMATS:
        raise InputError(
            f"{os.fsdecode(path)}: expected a file name that ends in {', '.join(FORMATS)}"
        )
    with warnings.catch_warnings():  # a label in a script that the font lacks shows as boxes
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        drawn = io.BytesIO()
        figure.savefig(drawn, format=ending[1:], dpi=150, bbox_inches="tight", pad_inches=0.15)
    atomic_write(path, drawn.getvalue())


def _figure(width: float, height: float) -> Figure:
    """An empty figure of this size in inches; the one place that imports matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise DependencyError(
            f"pictures need matplotlib ({error}); {install_hint('plot')}"
        ) from None
    return Figure((width, height), layout="constrained", facecolor="white")


def _place(tag: str) -> tuple[str, int]:
    prefix, label = split_tag(tag)
    return label, "OBIES".index(prefix)


def _grid(
    start: NDArray[Any], transitions: NDArray[Any], end: NDArray[Any], order: Sequence[int]
) -> NDArray[Any]:
    """[K + 1, K + 1]: above the transitions the start, beside them the end, 0 in the corner."""
    grid = np.zeros((len(order) + 1,) * 2, transitions.dtype)
    grid[0, :-1] = start[order]
    grid[1:, :-1] = transitions[np.ix_(order, order)]
    grid[1:, -1] = end[order]
    return grid


def _hatch(axes: Axes, cells: NDArray[np.bool_]) -> None:
    rows, columns = np.nonzero(cells)
    axes.bar(columns + 0.5, 1, width=1, bottom=rows, facecolor=_PALE, edgecolor=_HATCH,
             hatch="////", linewidth=0, zorder=0.5)  # fmt: skip


def _name_cells(axes: Axes, tags: list[str]) -> None:
    """Tags along the cells, and white gaps between what belongs to one label."""
    names = [tag if len(tag) <= 24 else f"{tag[:23]}…" for tag in tags]
    places = np.arange(len(tags) + 1) + 0.5
    axes.set_xticks(places, [*names, "end"], rotation=90, parse_math=False)
    axes.set_yticks(places, ["start", *names], parse_math=False)
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("to tag", labelpad=8)
    axes.set_ylabel("from tag", labelpad=8)
    axes.spines[:].set_visible(False)
    labels = [split_tag(tag)[1] for tag in tags]
    cuts = [i for i in range(1, len(tags)) if labels[i] != labels[i - 1]]
    for cut in (0, *cuts):
        axes.axhline(cut + 1, color="white", linewidth=4)
    for cut in (*cuts, len(tags)):
        axes.axvline(cut, color="white", linewidth=4)
