"""One look for all figures: column width, colours safe for colour-blind readers."""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.rcsetup import cycler

from experiments.runtime.output import write_bytes

# Okabe and Ito, "Color Universal Design" (2008).
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
PURPLE, SKY, AMBER, BLACK = "#CC79A7", "#56B4E9", "#E69F00", "#000000"
GREY = "#7F7F7F"
CYCLE = (BLUE, ORANGE, GREEN, PURPLE, SKY, AMBER)

COLUMN, PAGE = 3.5, 7.0  # inches
LEGEND = "legend_below"  # the name of one below all panels

RC: dict[Any, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=CYCLE),
    "lines.linewidth": 1.2,
    "savefig.dpi": 200,
    "figure.constrained_layout.use": True,
    # The same bytes for the same data.
    "svg.hashsalt": "pattern-selection",
    "svg.fonttype": "path",
}


def panels(columns: int, width: float = PAGE, height: float = 2.6):
    """A figure with `columns` panels in a row."""
    return plt.subplots(1, columns, figsize=(width, height), squeeze=False)


def grid(rows: int, columns: int, width: float = PAGE, height: float = 4.6):
    """A figure with rows and columns of panels."""
    return plt.subplots(rows, columns, figsize=(width, height), squeeze=False)


def legend_below(figure, columns: int, *entries, **options) -> None:
    """A legend below all panels, which gets fewer columns in a narrow figure.

    `entries`, `options`: as of Matplotlib's `figure.legend`.
    """
    place = "outside lower center"
    figure.legend(*entries, loc=place, ncol=columns, **options).set_gid(LEGEND)


def save(
    figure,
    folder: Path,
    name: str,
    stamp: Mapping[str, Any],
    kinds: Sequence[str] = ("svg", "png"),
) -> list[Path]:
    """Write `name.svg`, `name.png` or other kinds, whole or not at all; the files.

    The stamp of the data goes into the metadata of each, as its description.

    Raises `UserError` if they cannot be written.
    """
    pictures = {kind: rendered(figure, kind, stamp) for kind in kinds}
    files = {folder / f"{name}.{kind}": content for kind, content in pictures.items()}
    for file, content in files.items():
        write_bytes(file, content)
    return list(files)


# What would differ from one day or version to the next, and where the stamp goes.
METADATA = {
    "svg": ("Date", "Description"),
    "png": ("Software", "Description"),
    "pdf": ("CreationDate", "Subject"),
}


def rendered(figure, kind: str, stamp: Mapping[str, Any]) -> bytes:
    """The content of a file of this kind, with the stamp as description."""
    changing, description = METADATA[kind]
    buffer = io.BytesIO()
    metadata = {changing: None, description: json.dumps(stamp)}
    figure.savefig(buffer, format=kind, metadata=metadata)
    plt.close(figure)
    return buffer.getvalue()
