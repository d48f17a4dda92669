"""`pattern-selection figures`: draw every picture again from its saved data."""

import argparse
import importlib
import io
import json
from pathlib import Path

from experiments.errors import UserError
from experiments.output import check_writable_folder, write_bytes
from experiments.pictures import NAMES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `figures`."""
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"from {', '.join(NAMES)}"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("figures"), help="folder (default figures)"
    )


def picture(name: str):
    """The module of a picture."""
    return importlib.import_module(f"experiments.pictures.{name}")


def save_data(data: dict, stamp: dict, folder: Path, name: str) -> None:
    """Write `data/NAME.npz` and beside it its stamp, `NAME.json`."""
    import numpy as np

    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{k: np.asarray(v) for k, v in data.items()})
    write_bytes(folder / "data" / f"{name}.npz", buffer.getvalue())
    text = json.dumps(stamp, indent=2) + "\n"
    write_bytes(folder / "data" / f"{name}.json", text.encode())


def draw(name: str, folder: Path) -> None:
    """Draw one picture from `folder/data/NAME.npz`."""
    import matplotlib
    import numpy as np

    from experiments import style

    source = folder / "data" / f"{name}.npz"
    if not source.is_file():
        raise UserError(f"no saved data {source}; run pattern-selection reproduce.")
    with np.load(source) as saved, matplotlib.rc_context(style.RC):
        style.save(picture(name).draw(dict(saved)), folder, name)


def main(args: argparse.Namespace) -> int:
    """Draw the pictures asked for (default: all)."""
    for name in args.names:
        if name not in NAMES:
            raise UserError(
                f"picture {name} is unknown; choose from {', '.join(NAMES)}."
            )
    check_writable_folder(args.out)
    for name in args.names or NAMES:
        draw(name, args.out)
        print(f"{args.out / name}.svg")
    return 0
