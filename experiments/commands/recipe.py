"""`pattern-selection recipe`: a trainer's configuration as a recipe of `train`."""

import argparse
from pathlib import Path

from experiments.runtime.output import (
    check_writable_file,
    to_json,
    write_bytes,
    write_json,
)
from experiments.text.errors import UserError

EXAMPLE = """What is read:
  trl       a YAML or JSON file of GRPOConfig, also with fields of model and script
  verl      a nested YAML file, or a text with a call of verl.trainer.main_ppo
  openrlhf  a text with a call of openrlhf.cli.train_ppo_ray

A call may be a shell script: lines that end in a backslash, NAME=VALUE, $NAME. Settings
that are left out have the defaults of a named version. The recipe begins with a comment
that says of each setting: taken over, approximated (how), or no counterpart (why).

  pattern-selection recipe grpo.yaml --out grpo.toml
  pattern-selection train --recipe grpo.toml --learning-rate 0.1
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `recipe`."""
    parser.epilog = EXAMPLE
    parser.add_argument("config", type=Path, metavar="CONFIG", help="the file")
    parser.add_argument(
        "--from",
        dest="trainer",
        choices=["trl", "verl", "openrlhf"],
        help="whose it is (default: recognised)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="write the recipe there and print what became of each setting (default: "
        "print the recipe, with that as a comment)",
    )


def main(args: argparse.Namespace) -> int:
    """Write the recipe, or print it; one JSON object with `--json`."""
    from experiments.imports import converting

    check_writable_file(args.json)
    if args.out is not None and args.out.is_dir():
        raise UserError(f"--out {args.out}: a folder; give the name of a file.")
    found = converting.convert(args.config, args.trainer)
    text = converting.file(found, args.config.name)
    if args.out is not None:
        write_bytes(args.out, text.encode())
    if args.json == "-":
        print(to_json(found))
        return 0
    if args.out is None:
        print(text, end="")
    else:
        print("\n".join(converting.lines(found)))
        print(args.out)
    write_json(found, args.json)
    return 0
