"""How a picture looks, from the command line and from `[figure]` of a sweep file.

The same names in both: title, labels, cmap, width, height, style, text, format.
"""

import argparse
import contextlib
import difflib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.text import toml
from experiments.text.errors import UserError, choose_from
from experiments.text.numbers import pairs

KEYS = ("title", "labels", "cmap", "width", "height", "style", "text", "format")
SIDES = ("x", "y", "colour")
FORMATS = ("svg", "png", "pdf")
SMALLEST, LARGEST = 1.5, 40.0  # inches
# So that text can be searched, selected and edited.
AS_TEXT = {"svg.fonttype": "none", "pdf.fonttype": 42}
SOME_MAPS = ("viridis", "cividis", "magma", "coolwarm", "cmc.batlow", "cmc.vik")


@dataclass(frozen=True)
class Looks:
    """What was asked for, checked; None where the picture decides.

    `style`: settings of Matplotlib; `width`, `height` in inches.
    """

    title: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    cmap: str | None = None
    width: float | None = None
    height: float | None = None
    style: Mapping[str, Any] = field(default_factory=dict)
    text: bool = False
    format: tuple[str, ...] = ("svg", "png")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of looks."""
    group = add_plain_arguments(parser)
    group.add_argument(
        "--format",
        metavar="KIND[,KIND]",
        help=f"files to write, of {', '.join(FORMATS)} (default svg,png)",
    )
    group.add_argument(
        "--cmap",
        metavar="NAME",
        help="colour map, by its name in Matplotlib, or cmc.NAME of cmcrameri",
    )


def add_plain_arguments(parser: argparse.ArgumentParser) -> Any:
    """Those of one picture of curves, whose file is named."""
    group = parser.add_argument_group("looks")
    for side in ("width", "height"):
        group.add_argument(
            f"--{side}", type=float, metavar="INCHES", help=f"{side} of the figure"
        )
    group.add_argument(
        "--style", metavar="FILE", help="settings of Matplotlib, a .mplstyle file"
    )
    group.add_argument(
        "--label",
        nargs="+",
        metavar="SIDE=TEXT",
        help="labels: x=... y=... colour=... ($...$ is mathematics)",
    )
    group.add_argument("--title", metavar="TEXT", help="title above the figure")
    group.add_argument(
        "--text",
        action="store_true",
        help="keep text as text in SVG and PDF (it then needs the fonts to be there)",
    )
    return group


def given(args: argparse.Namespace) -> dict[str, Any]:
    """The looks on the command line, as a table with the names of `[figure]`.

    Raises `UserError` for those that there are not.
    """
    labels = pairs("--label", args.label or (), "x=TEXT, y=TEXT or colour=TEXT")
    kinds = getattr(args, "format", None)
    found = {
        "title": args.title,
        "labels": labels or None,
        "cmap": getattr(args, "cmap", None),
        "width": args.width,
        "height": args.height,
        "style": args.style,
        "text": args.text or None,
        "format": kinds and kinds.split(","),
    }
    table = with_style({k: v for k, v in found.items() if v is not None})
    read(table, "--")
    return table


def merged(table: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """`table` with what `other` says instead; labels side by side."""
    new = {**table, **other}
    if isinstance(table.get("labels"), dict) and "labels" in other:
        new["labels"] = table["labels"] | other["labels"]
    return new


def with_style(table: Mapping[str, Any], folder: Path = Path()) -> dict[str, Any]:
    """`table` with the settings of its style file, whose path is seen from `folder`.

    Raises `UserError` if the file cannot be read, or says something else.
    """
    style = table.get("style")
    if not isinstance(style, str):
        return dict(table)
    path = folder / style
    settings = {}
    for number, line in enumerate(toml.read(path, "give a .mplstyle file").split("\n")):
        words = line.split("#", 1)[0].strip()
        key, colon, value = (part.strip() for part in words.partition(":"))
        if words and not colon:
            raise UserError(f"{path}, line {number + 1}: {words!r}; give KEY: VALUE.")
        if words:
            settings[key] = value.strip('"')
    return {**table, "style": settings}


def read(table: Mapping[str, Any], where: str = "") -> Looks:
    """The looks in a table. Raises `UserError` for those that there are not.

    `where` is put before the name of a key in messages.
    """
    known = {key: table[key] for key in KEYS if key in table}
    for key, kind, what in (
        ("title", str, "a text"),
        ("labels", dict, "a table of x, y, colour"),
        ("cmap", str, "a name"),
        ("style", dict, "a .mplstyle file, or a table of settings"),
        ("text", bool, "true or false"),
    ):
        if key in known and not isinstance(known[key], kind):
            raise UserError(f"{where}{key} = {known[key]!r}; give {what}.")
    for side, text in known.get("labels", {}).items():
        if side not in SIDES:
            raise UserError(f"{where}label {side!r}: {choose_from(side, SIDES)}.")
        if not isinstance(text, str):
            raise UserError(f"{where}label {side} = {text!r}; give a text.")
    for key in ("width", "height"):
        _check_size(known.get(key, SMALLEST), where + key)
    if "format" in known:
        known["format"] = _formats(known["format"], where)
    if "cmap" in known:
        _check_map(known["cmap"], where)
    _check_style(known.get("style", {}), where)
    texts = {f"label {side}": text for side, text in known.get("labels", {}).items()}
    for key, text in (texts | {"title": known.get("title", "")}).items():
        _check_text(text, where + key)
    return Looks(**_of_style(known.get("style", {})) | known)


def _of_style(style: Mapping[str, Any]) -> dict[str, Any]:
    """The looks among the settings, which pictures would choose themselves."""
    import matplotlib

    settings = matplotlib.RcParams(style)
    found = {}
    if "figure.figsize" in style:
        found["width"], found["height"] = settings["figure.figsize"]
    if "image.cmap" in style:
        found["cmap"] = settings["image.cmap"]
    return found


def _check_size(value: Any, name: str) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not SMALLEST <= value <= LARGEST:
        raise UserError(f"{name} = {value!r}; give {SMALLEST:g} to {LARGEST:g} inches.")


def _formats(value: Any, where: str) -> tuple[str, ...]:
    kinds = [value] if isinstance(value, str) else value
    if not isinstance(kinds, list | tuple) or not kinds:
        raise UserError(
            f"{where}format = {value!r}; give some of {', '.join(FORMATS)}."
        )
    for kind in kinds:
        if kind not in FORMATS:
            raise UserError(f"{where}format {kind!r}: {choose_from(kind, FORMATS)}.")
    return tuple(dict.fromkeys(kinds))


def _check_map(name: str, where: str) -> None:
    import cmcrameri.cm  # noqa: F401  registers the maps
    import matplotlib

    if name not in matplotlib.colormaps:
        near = difflib.get_close_matches(name, list(matplotlib.colormaps), n=1)
        some = dict.fromkeys([*near, *SOME_MAPS])
        raise UserError(
            f"{where}cmap {name!r} is unknown; {choose_from(name, some)}, or another "
            "one of Matplotlib."
        )


def _check_style(style: Mapping[str, Any], where: str) -> None:
    import matplotlib

    for key, value in style.items():
        key = str(key)
        if key not in matplotlib.rcParams or key.startswith("backend"):
            near = difflib.get_close_matches(key, list(matplotlib.rcParams), n=1)
            advice = f"did you mean {near[0]}?" if near else "leave it out."
            raise UserError(f"{where}style: {key!r} is no setting of looks; {advice}")
        try:
            matplotlib.RcParams({key: value})
        except (ValueError, TypeError) as error:
            reason = str(error).split("\n")[0]
            raise UserError(f"{where}style: {reason}.") from None


def _check_text(text: str, name: str) -> None:
    """Raise `UserError` for mathematics that Matplotlib cannot set."""
    from matplotlib.mathtext import MathTextParser

    if text.count("$") - text.count(r"\$") < 2:
        return
    try:
        MathTextParser("path").parse(text)
    except ValueError as error:
        reason = str(error).strip().split("\n")[-1]
        raise UserError(f"{name}: '{text}' cannot be set ({reason}).") from None


@contextlib.contextmanager
def context(looks: Looks | None = None) -> Iterator[None]:
    """Where pictures are drawn for files, with the settings of the house and these."""
    import matplotlib

    from experiments.pictures import style

    own: dict[Any, Any] = {} if looks is None else dict(looks.style)
    if looks is not None and looks.text:
        own |= AS_TEXT
    # Of the dates in fonts that it embeds, which are not ours.
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    matplotlib.use("Agg")
    with matplotlib.rc_context({**style.RC, **own}):
        yield


def dress(
    figure, looks: Looks, panels: Sequence[Any] | None = None, sized: bool = True
) -> None:
    """Give a picture, or some of its panels, the title, labels, colours and size.

    `sized`: whether the figure is ours, and gets a size.

    Raises `UserError` if a label belongs to panels that show different things.
    """
    found = [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]
    panels = found if panels is None else panels
    images = [image for panel in panels for image in _images(panel)]
    for side, text in looks.labels.items():
        _label(side, text, panels, images)
    if looks.cmap is not None:
        for image in images:
            image.set_cmap(looks.cmap)
    if looks.title is not None:
        if len(panels) == 1:
            panels[0].set_title(looks.title)
        else:
            figure.suptitle(looks.title)
    from experiments.pictures import narrow

    if sized:
        if looks.width is not None:
            narrow.stack(figure, looks.width, looks.height)
        width, height = figure.get_size_inches()
        figure.set_size_inches(looks.width or width, looks.height or height)


def _images(panel) -> list[Any]:
    """All that is coloured by numbers; contour lines have colours of their own."""
    from matplotlib.contour import ContourSet

    drawn = [*panel.collections, *panel.images]
    lines = [one for one in drawn if isinstance(one, ContourSet) and not one.filled]
    return [one for one in drawn if one.get_array() is not None and one not in lines]


def _label(side: str, text: str, panels: Sequence[Any], images: Sequence[Any]) -> None:
    """Give the panels, or the colour bars of `images`, that have a label this one."""
    if side == "colour":
        bars = [image.colorbar.ax for image in images if image.colorbar is not None]
        old = {bar: bar.get_ylabel() or bar.get_xlabel() for bar in bars}
    else:
        old = {p: getattr(p, f"get_{side}label")() for p in panels}
    labelled = [axes for axes, label in old.items() if label]
    if len({old[axes] for axes in labelled}) != 1:
        what = "no label" if not labelled else "different labels"
        raise UserError(f"label {side}: the panels have {what} there; leave it out.")
    for axes in labelled:
        flat = side == "x" or (side == "colour" and axes.get_xlabel())
        axes.set_xlabel(text) if flat else axes.set_ylabel(text)
