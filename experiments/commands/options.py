"""Options that several commands have."""

import argparse


def add_force(parser: argparse.ArgumentParser) -> None:
    """`--force`, of the commands that keep a store."""
    parser.add_argument(
        "--force",
        action="store_true",
        help="resume a store that was begun with other code, packages, devices, "
        "precision or settings; it keeps both stamps (the cells must be the same)",
    )
