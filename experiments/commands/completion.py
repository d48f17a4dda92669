"""`pattern-selection completion`: the script by which a shell completes commands."""

import argparse

from experiments.text.errors import UserError

EXAMPLE = """bash:  pattern-selection completion bash > \\
         ~/.local/share/bash-completion/completions/pattern-selection
zsh:   pattern-selection completion zsh > DIR/_pattern-selection, with DIR in $fpath
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `completion`."""
    parser.epilog = EXAMPLE
    parser.add_argument("shell", choices=["bash", "zsh", "tcsh"], help="for which one")


def main(args: argparse.Namespace) -> int:
    """Print the script, made by shtab from all options there are."""
    from experiments.cli import COMMANDS, build_parser

    try:
        import shtab
    except ModuleNotFoundError:
        raise UserError(
            "completion needs shtab; install it: pip install "
            "'pattern-selection[completion]'."
        ) from None
    print(shtab.complete(build_parser(COMMANDS), args.shell))
    return 0
