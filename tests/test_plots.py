"""Pictures hold what they claim to: every legal score in its cell, every epoch on its curve."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fastner.errors import BundleError, DependencyError, InputError
from fastner.evaluation.plots import history_figure, save, transitions_figure
from fastner.tags import TagScheme, allowed, tag_set

pytest.importorskip("matplotlib")
GOLDEN = Path(__file__).parent / "golden"


def crf(tags, seed=0):
    rng = np.random.default_rng(seed)
    shapes = {"start": (len(tags),), "transitions": (len(tags),) * 2, "end": (len(tags),)}
    return {name: rng.normal(0, 3, shape).astype("f") for name, shape in shapes.items()}


@pytest.mark.parametrize("scheme", [TagScheme.IOB2, TagScheme.BIOES])
def test_every_legal_score_stands_in_its_cell_and_no_other(scheme):
    ordered = tag_set(["A", "B-2", "C", "D"], scheme)
    shuffle = np.random.default_rng(1).permutation(len(ordered))
    tags = [ordered[i] for i in shuffle]
    scores = crf(tags)
    axes, _ = transitions_figure(tags, scheme, **scores).axes
    columns = [label.get_text() for label in axes.get_xticklabels()]
    rows = [label.get_text() for label in axes.get_yticklabels()]
    assert (columns, rows) == ([*ordered, "end"], ["start", *ordered])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("to tag", "from tag")

    ids = {tag: i for i, tag in enumerate(tags)}
    start, transitions, end = allowed(tags, scheme)
    expected, forbidden = {}, set()
    for row, source in enumerate(rows):
        for column, target in enumerate(columns):
            if target == "end":
                name, at, legal = "end", ids.get(source), end
            elif source == "start":
                name, at, legal = "start", ids[target], start
            else:
                name, at, legal = "transitions", (ids[source], ids[target]), transitions
            if at is None:
                continue
            if legal[at]:
                expected[row, column] = f"{scores[name][at]:.2f}"
            else:
                forbidden.add((row, column))
    texts = {
        (text.get_position()[1] - 0.5, text.get_position()[0] - 0.5): text for text in axes.texts
    }
    assert {cell: text.get_text().replace("−", "-") for cell, text in texts.items()} == expected
    hatched = {(bar.get_y(), round(bar.get_x(), 6)) for bar in axes.patches if bar.get_hatch()}
    assert hatched == forbidden

    mesh = axes.collections[0]
    low, high = mesh.get_clim()
    shown = mesh.get_array().compressed()
    assert low == -high and high == pytest.approx(np.abs(shown).max())
    assert len(shown) == len(expected)
    for cell, text in texts.items():  # readable on its colour, as WCAG has it
        back = mesh.cmap(mesh.norm(float(expected[cell])))
        dark, light = sorted([luminance(text.get_color()), luminance(back)])
        assert (light + 0.05) / (dark + 0.05) > 4.4


def luminance(color):
    from matplotlib.colors import to_rgb

    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def test_any_label_can_be_drawn(tmp_path):
    labels = ["$x_1$", r"\alpha$", "人", "שלום", "\x00\x1b", "😀", "long" * 200]
    tags = tag_set(labels, TagScheme.IOB2)
    scores = {name: np.zeros_like(values) for name, values in crf(tags).items()}
    save(transitions_figure(tags, TagScheme.IOB2, **scores), tmp_path / "a.PNG")
    assert (tmp_path / "a.PNG").read_bytes().startswith(b"\x89PNG")
    save(transitions_figure(["O"], TagScheme.BIOES, **crf(["O"])), tmp_path / "a.svg")
    assert b"<svg" in (tmp_path / "a.svg").read_bytes()


def test_too_many_tags():
    tags = tag_set(map(str, range(60)), TagScheme.IOB2)
    with pytest.raises(InputError, match="at most 100 tags to draw, got 121"):
        transitions_figure(tags, TagScheme.IOB2, **crf(tags))


def history(f1):
    epochs = [{"loss": 3 / n, "f1": value, "new": []} for n, value in enumerate(f1, 1)]
    return json.dumps({"epochs": epochs, "other": 1}).encode()


@pytest.mark.parametrize(
    ("f1", "best"), [([0.5, 0.75, 0.75, 0.6], 2), ([0], 1), ([n / 500 for n in range(400)], 400)]
)
def test_learning_curves(f1, best, tmp_path):
    figure = history_figure(history(f1), "x")
    upper, lower = figure.axes
    assert list(upper.lines[0].get_ydata()) == pytest.approx([100 * value for value in f1])
    assert list(lower.lines[0].get_ydata()) == pytest.approx([3 / n for n in range(1, len(f1) + 1)])
    assert list(lower.lines[0].get_xdata()) == list(range(1, len(f1) + 1))
    assert upper.texts[0].get_text() == f"best: {100 * f1[best - 1]:.2f} after epoch {best}"
    assert {axes.lines[1].get_xdata()[0] for axes in figure.axes} == {best}
    save(figure, tmp_path / "a.png")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff", "JSON in UTF-8"),
        (b"[1]", "an object"),
        (b"{}", "the key 'epochs', got none"),
        (b'{"epochs": []}', "epochs, each with its loss and f1"),
        (b'{"epochs": [{"loss": 1}]}', "epochs, each with its loss and f1"),
        (
            b'{"epochs": [{"loss": 1, "f1": true}]}',
            r"\[0\].'f1': expected a number from .*, got True",
        ),
        (b'{"epochs": [{"loss": NaN, "f1": 1}]}', "finite"),
    ],
)
def test_another_history_is_refused(content, message):
    with pytest.raises(BundleError, match=f"^m/history.json.*{message}"):
        history_figure(content, "m/history.json")


def test_save_knows_three_formats(tmp_path):
    figure = history_figure(history([0.5]), "x")
    for name in ("a", "a.gif", "a.png.txt"):
        with pytest.raises(InputError, match=r"ends in \.png, \.svg, \.pdf"):
            save(figure, tmp_path / name)
    with pytest.raises(FileNotFoundError):
        save(figure, tmp_path / "gone" / "a.png")


def test_a_picture_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    figure, path = history_figure(history([0.5]), "x"), tmp_path / "a.png"
    path.write_bytes(b"old")

    def refuse(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match=r"Input/output error: .*a\.png'$"):
        save(figure, path)
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["a.png"]


def test_no_picture_lies_in_its_model(tmp_path, capsys):
    from fastner.cli import app as cli

    model = shutil.copytree(GOLDEN / "bundle-1.0-iob2", tmp_path / "model")
    before = sorted(os.listdir(model))
    assert cli.main(["plot", "history", str(model), "-o", str(model / "a.png")]) == 1
    assert "apart from the model" in capsys.readouterr().err
    assert sorted(os.listdir(model)) == before


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(DependencyError, match=r"run pip install -e '\.\[plot\]' in .+"):
        history_figure(history([0.5]), "x")


@pytest.mark.parametrize("what", ["transitions", "history"])
def test_the_command_draws_without_pyplot(what, tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            (
                "import sys; from fastner.cli import main; code = main(sys.argv[1:])\n"
                "assert 'matplotlib' in sys.modules and 'matplotlib.pyplot' not in sys.modules\n"
                "sys.exit(code)"
            ),
            *("plot", what, GOLDEN / "bundle-1.0-iob2", "-o", tmp_path / "a.png"),
        ],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_says_what_is_missing(tmp_path, monkeypatch, capsys):
    from types import SimpleNamespace

    import fastner.bundle
    from fastner.cli import app as cli

    bare = SimpleNamespace(path="m", extra={})
    monkeypatch.setattr(fastner.bundle, "read_bundle", lambda path: bare)
    assert cli.main(["plot", "history", "./m", "-o", "a.png"]) == 1
    message = "m/history.json: expected the history that fastner train writes"
    assert message in capsys.readouterr().err
