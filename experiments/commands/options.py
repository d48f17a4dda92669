"""Options that several commands have."""

import argparse


def add_force(parser: argparse.ArgumentParser) -> None:
    """`--force`, of the commands that keep a store."""
    parser.add_argument(
        "--force",
        action="store_true",
        help="go on with what other code, packages, devices, precision or settings "
        "have stored (the cells must be the same); the store keeps both stamps",
    )
