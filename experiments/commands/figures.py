"""`pattern-selection figures`: draw every picture again from its saved data."""

import argparse
import io
import json
import shlex
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from experiments.commands.options import add_out
from experiments.diagrams import preset
from experiments.pictures import NAMES, looks, picture, with_part
from experiments.runtime import shipped
from experiments.runtime.keys import generator
from experiments.runtime.output import check_writable_folder, to_json, write_bytes
from experiments.runtime.progress import bar
from experiments.text.errors import UserError, choose_from

STAMP = "stamp"  # its name among the arrays of a file
ONE = ("title", "labels")  # looks of one picture, and not of all


def diagrams() -> dict[str, str]:
    """The pictures that `phase-diagram` makes, and the preset of each."""
    return {preset.file_name(name): name for name in preset.names()}


def known(folder: Path | None = None) -> list[str]:
    """All pictures, and the diagrams of sweep files that have data in the folder."""
    stores = () if folder is None else sorted((folder / "data").glob("phase_*.zarr"))
    return list(
        dict.fromkeys([*NAMES, "train", *diagrams(), *(path.stem for path in stores)])
    )


def _is_diagram(name: str) -> bool:
    return name not in NAMES and name != "train"


def made_by(name: str) -> str:
    """The command that makes a picture and its data."""
    if name in with_part("compute"):
        return f"reproduce {name}"
    if name in NAMES:
        return "reproduce --all"
    if name == "train":
        return "train"
    return f"phase-diagram {diagrams().get(name, 'FILE.toml')}"


def source(name: str, folder: Path) -> Path:
    """Where the data of a picture are, in the folder of the picture."""
    return folder / "data" / f"{name}.{'zarr' if _is_diagram(name) else 'npz'}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `figures`."""
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"from {', '.join(known())}, phase_NAME of a sweep file NAME.toml "
        "(default: all that have data in the folder)",
    )
    add_out(parser, "figures", "of figures and data")
    looks.add_arguments(parser)


def compute(name: str, quick: bool, seed: int) -> dict:
    """The data of a picture, made anew."""
    with bar(f"figure {name}") as progress:
        return picture(name).compute(generator(seed, name), quick, progress)


def repeat(config: dict) -> dict[str, Any]:
    """The data of a picture again, for the `config` of its stamp."""
    import numpy as np

    if config["command"] == "gallery":
        from experiments.commands import gallery

        return gallery.repeat(config)
    name, seed = config["figure"], config["seed"]
    if name == "train":
        from experiments.commands import train_report

        data = train_report.report(config)[1]
    elif name in with_part("collect"):
        from experiments.commands import verify

        reports = verify.verify(verify.statements(), config["problems"], seed)
        data = picture(name).collect(reports)
    else:
        data = compute(name, config["quick"], seed)
    return {key: np.asarray(value) for key, value in data.items()}


def keep(name: str, data: dict, config: dict, folder: Path) -> None:
    """Save the data of a picture, and draw it.

    `config`: the inputs of the command that made the data.
    """
    from experiments.runtime.stamp import stamp

    config = config | {"figure": name}
    save_data(data, stamp(config, config["seed"]), folder, name)
    draw(name, folder)


def save_data(data: dict, stamp: dict, folder: Path, name: str) -> None:
    """Write `data/NAME.npz`: the arrays, and the stamp as JSON under that name."""
    import numpy as np

    buffer = io.BytesIO()
    arrays: dict[str, Any] = {k: np.asarray(v) for k, v in data.items()}
    arrays[STAMP] = np.asarray(to_json(stamp))
    np.savez_compressed(buffer, **arrays)
    write_bytes(folder / "data" / f"{name}.npz", buffer.getvalue())


def saved_data(path: Path) -> tuple[dict[str, Any], dict]:
    """The arrays of `data/NAME.npz`, and the stamp.

    Raises `UserError` if the file is damaged, or has no stamp.
    """
    try:
        data = _arrays(path)
        return data, json.loads(str(data.pop(STAMP)))
    except Exception as error:  # whatever NumPy, zipfile and json raise
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        raise UserError(
            f"{path} is damaged or no data of a figure ({reason}); give another file."
        ) from error


def draw(
    name: str,
    folder: Path,
    given: dict[str, Any] | None = None,
    place: Path | None = None,
) -> list[Path]:
    """Draw one picture from the data in `folder`, and write it there: the files.

    `given`: looks, as in `[figure]`. `place`: where else the data are. Raises
    `UserError` if there are no data, or not those of this picture, or if it cannot look
    like that.
    """
    from experiments.commands import phase_diagram
    from experiments.pictures import style

    place, table = place or folder, given or {}
    path = source(name, place)
    if not path.exists():
        raise UserError(f"no saved data {path}; {_advice(name, folder)}.")
    if _is_diagram(name):
        return phase_diagram.write(path, folder, name, **table)
    asked = looks.read(table)
    with looks.context(asked):
        data = _understood(name, place, "is damaged", _arrays, path)
        stamp = json.loads(str(data.pop(STAMP, "{}")))
        lacking = "does not hold what the picture shows"
        figure = _understood(name, place, lacking, picture(name).draw, data)
        looks.dress(figure, asked)
        stamp |= {"figure": table} if table else {}
        return style.save(figure, folder, name, stamp, asked.format)


def _advice(name: str, folder: Path) -> str:
    command = f"pattern-selection {made_by(name)} --out {shlex.quote(str(folder))}"
    return f"make them with {command}"


def _understood(name: str, folder: Path, wrong: str, function: Callable, given: Any):
    """`function(given)`, of saved data. Raises `UserError` if they are not right."""
    try:
        return function(given)
    except Exception as error:  # whatever NumPy, zipfile and Matplotlib raise
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        raise UserError(
            f"{source(name, folder)} {wrong} ({reason}); {_advice(name, folder)}."
        ) from error


def _arrays(path: Path) -> dict[str, Any]:
    """The arrays of an npz file, read to the end, where their checksums are."""
    from numpy.lib import format as npy

    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    return {
        name.removesuffix(".npy"): npy.read_array(io.BytesIO(content))
        for name, content in contents.items()
    }


def main(args: argparse.Namespace) -> int:
    """Draw the pictures asked for (default: all that have data).

    Where the folder has no data, those that come with the program are drawn into it.
    """
    all_names = known(args.out)
    for name in args.names:
        if name not in all_names:
            raise UserError(
                f"picture {name} is unknown; {choose_from(name, all_names)}."
            )
    given = looks.given(args)
    for key in ONE:
        if key in given and len(args.names) != 1:
            option = "--" + key.removesuffix("s")
            raise UserError(f"{option} is of one figure; name one of them.")
    check_writable_folder(args.out)
    places = {
        name: place
        for place in (shipped.figures(), args.out)
        for name in args.names or all_names
        if source(name, place).exists()
    }
    own = [name for name, place in places.items() if place == args.out]
    names = args.names or own or list(places)
    if not names:
        raise UserError(
            f"no saved data in {args.out / 'data'}; {_advice(NAMES[0], args.out)}."
        )
    if any(places.get(name, args.out) != args.out for name in names):
        print(
            "note: drawn from the data that come with the program, where "
            f"{args.out / 'data'} has none.",
            file=sys.stderr,
        )
    for name in names:
        files = draw(name, args.out, given, places.get(name))
        print("\n".join(map(str, files)), flush=True)
    return 0
