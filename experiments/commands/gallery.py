"""`pattern-selection gallery`: related papers as experiments, each with verdicts."""

import argparse
import functools
import sys
from pathlib import Path
from typing import Any

from experiments.commands import figures
from experiments.commands.options import add_out
from experiments.gallery import NAMES, paper
from experiments.runtime import workers
from experiments.runtime.keys import generator
from experiments.runtime.output import (
    check_writable_file,
    check_writable_folder,
    write_json,
)
from experiments.runtime.progress import bar
from experiments.text.errors import UserError, choose_from

FOLDER = "figures/gallery"
# In this order they begin: those that take longest first.
BEGIN: tuple[str, ...] = ()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `gallery`."""
    parser.epilog = (
        "verdicts: reproduced, partly, refuted, possible (for hand-picked numbers "
        "only), out of reach.\nExit code 1 if a verdict is not the one that was "
        "expected.\n\npapers:\n"
        + "\n".join(f"  {name:20} {_title(name)}" for name in NAMES)
    )
    parser.add_argument(
        "papers",
        nargs="*",
        metavar="PAPER",
        help="papers, by the names below (default: all)",
    )
    add_out(parser, FOLDER, "for figures and data")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="fewer random problems, so that some verdicts are less certain",
    )


def _title(name: str) -> str:
    module = paper(name)
    return f"{module.TITLE} ({module.SOURCE})"


def compute(name: str, quick: bool, seed: int) -> dict[str, Any]:
    """The data of a paper, made anew, as arrays."""
    import numpy as np

    with bar(name) as progress:
        made = paper(name).compute(generator(seed, f"gallery {name}"), quick, progress)
    return {key: np.asarray(value) for key, value in made.items()}


def main(args: argparse.Namespace) -> int:
    """Exit code 1 if any verdict is not the expected one."""
    for name in args.papers:
        if name not in NAMES:
            raise UserError(f"{name} is unknown; {choose_from(name, NAMES)}.")
    if args.precision != "float64":
        raise UserError("--precision float32: the gallery is made in float64 only.")
    check_writable_file(args.json)
    check_writable_folder(args.out / "data")
    wanted = [name for name in NAMES if name in (args.papers or NAMES)]
    found: dict[str, list[dict]] = {}

    def ended(name: str, data: dict[str, Any]) -> None:
        found[name] = judge(name, data, args.quick, args.seed)
        figures.save_data(data, found[name][0]["stamp"], args.out, _module(name))
        draw(name, args.out)
        if args.json != "-":
            print(table(found[name]), flush=True)

    begin = [n for n in BEGIN if n in wanted] + [n for n in wanted if n not in BEGIN]
    workers.run({n: (compute, (n, args.quick, args.seed)) for n in begin}, ended)
    rows = [row for name in wanted for row in found[name]]
    if args.json != "-":
        print(f"figures: {args.out}")
    write_json(rows, args.json)
    other = [row for row in rows if row["verdict"] != row["expected"]]
    for row in other:
        print(
            f"{row['paper']} {row['claim']}: {row['verdict']}, expected "
            f"{row['expected']}",
            file=sys.stderr,
        )
    return 1 if other else 0


def _module(name: str) -> str:
    return name.replace("-", "_")


def judge(name: str, data: dict[str, Any], quick: bool, seed: int) -> list[dict]:
    """The rows of a paper's claims, each with the stamp."""
    from experiments.gallery import verdict
    from experiments.runtime.stamp import stamp

    config = {"command": "gallery", "paper": name, "quick": quick, "seed": seed}
    made = stamp(config, seed)
    return [
        row | {"stamp": made} for row in verdict.rows(paper(name), name, data, seed)
    ]


@functools.lru_cache(maxsize=1)
def _again(name: str, quick: bool, seed: int) -> tuple[list[dict], dict]:
    data = compute(name, quick, seed)
    return judge(name, data, quick, seed), data


def repeat(config: dict, claim: str | None = None) -> dict:
    """The data of a paper again, or its row for a claim, by the `config` of a stamp.

    Raises `KeyError` for a paper or a claim that this version does not have.
    """
    name = config["paper"]
    claims = paper(name).CLAIMS if name in NAMES else ()
    if name not in NAMES or (claim and claim not in {one.id for one in claims}):
        raise KeyError(name, claim)
    rows, data = _again(name, config["quick"], config["seed"])
    return next(row for row in rows if row["claim"] == claim) if claim else data


def draw(name: str, folder: Path) -> None:
    """Draw the figure of a paper from its saved data."""
    from experiments.pictures import looks, style

    data, stamp = figures.saved_data(folder / "data" / f"{_module(name)}.npz")
    with looks.context(looks.read({})):
        figure = paper(name).draw(data)
        style.save(figure, folder, _module(name), stamp)


def table(rows: list[dict]) -> str:
    """The verdicts of one paper, as lines."""
    lines = [f"{rows[0]['paper']}: {_title(rows[0]['paper'])}"]
    for row in rows:
        known = row["ensemble"]
        share = ""
        if known:
            low, high = known["interval"]
            share = (
                f" [{100 * known['share']:.0f} % of {known['problems']:,} problems, "
                f"{100 * low:.0f} to {100 * high:.0f}]"
            )
        lines.append(f"  {row['verdict']:12} {row['text']}{share}")
        numbers = [f"{key} {_number(value)}" for key, value in row["measured"].items()]
        lines.append(f"  {'':12} {', '.join(numbers)}")
    return "\n".join(lines) + "\n"


def page(rows: list[dict]) -> str:
    """The verdicts of one paper as the table of its section in the README."""
    lines = ["| claim | verdict | random models | numbers |", "|---|---|---|---|"]
    for row in rows:
        known, share = row["ensemble"], ""
        if known:
            low, high = known["interval"]
            share = (
                f"{100 * known['share']:.0f} % of {known['problems']:,} "
                f"({100 * low:.0f} to {100 * high:.0f})"
            )
        numbers = [f"{key} {_number(value)}" for key, value in row["measured"].items()]
        cells = row["text"], f"**{row['verdict']}**", share, "; ".join(numbers)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def summary(name: str, rows: list[dict], sentence: str) -> str:
    """The line of a paper in the table of all papers."""
    from experiments.gallery.verdict import VERDICTS

    found = [row["verdict"] for row in rows]
    counts = [f"{found.count(word)} {word}" for word in VERDICTS if word in found]
    cells = f"[{name}](#{name})", paper(name).SOURCE, ", ".join(counts), sentence
    return "| " + " | ".join(cells) + " |"


def _number(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " ".join(map(_number, value))
    return value if isinstance(value, str) else f"{float(value):.4g}"
