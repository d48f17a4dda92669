"""Options that several commands have."""

import argparse
from pathlib import Path


def add_force(parser: argparse.ArgumentParser) -> None:
    """`--force`, of the commands that keep a store."""
    parser.add_argument(
        "--force",
        action="store_true",
        help="resume a store that was begun with other code, packages, devices, "
        "precision or settings; it keeps both stamps (the cells must be the same)",
    )


def add_out(parser: argparse.ArgumentParser, default: str, of: str) -> None:
    """`--out`, of the commands that write into a folder."""
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(default),
        metavar="FOLDER",
        help=f"folder {of} (default {default})",
    )
