"""`pattern-selection run`: one base model, one recipe, what happens."""

import argparse
import copy
import math
from collections.abc import Container
from pathlib import Path

from experiments.pictures import looks
from experiments.runtime.output import check_writable_file, write_json
from experiments.text import base_model, catalogue, events as named_events, objects
from experiments.text.errors import UserError, choose_from
from experiments.text.numbers import as_number

DEFAULT_STEPS = 20_000
AS_GIVEN = "as given"
# Options that --compare does not change, and those that another one replaces.
SHARED = (
    *("json", "plot", "csv", "compare", "precision", "seed", "quiet", "verbose"),
    *("width", "height", "style", "label", "title", "text"),
)
INSTEAD = {"policy": ("logits",), "logits": ("policy",)}


def _listed(entries) -> str:
    width = max(map(len, entries))
    return "\n".join(f"  {e.name:<{width}}  {e.summary}" for e in entries.values())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `run`; the lists of signals and updates read the source."""
    parser.epilog = (
        f"signals:\n{_listed(catalogue.signals())}\n\n"
        "updates (h: the speed at accuracy p, that of the policy gradient being 1):\n"
        f"{_listed(catalogue.updates())}\n\n"
        "mixture of signals: --signal verifiable=0.7 self-certainty=0.3\n\n"
        "example:\n  pattern-selection run --success-rates 0.9 0.6 0.1 "
        "--policy 0.05 0.70 0.25 --until gap=1e-3"
    )
    base_model.add_arguments(parser)
    base_model.add_attributes(parser)
    parser.add_argument(
        "--signal",
        nargs="+",
        default=["verifiable"],
        metavar="NAME[=WEIGHT]",
        help="the reward, a name below or a weighted mixture (default verifiable)",
    )
    parser.add_argument(
        "--update",
        default="policy-gradient",
        metavar="NAME",
        help="how rewards move the policy, a name below (default policy-gradient)",
    )
    parameters = parser.add_argument_group("parameters of signals and updates")
    for field, owners in catalogue.options().values():
        text = field.text[:1].lower() + field.text[1:]
        help_ = f"{', '.join(owners)}: {text}"
        parameters.add_argument(field.option, help=help_, **field.settings)
    parser.add_argument(
        "--until",
        metavar="EVENT",
        help=f"{named_events.described()} (default gap=1e-3; with a KL penalty: rest)",
    )
    parser.add_argument(
        "--learning-rate",
        type=float,
        metavar="X",
        help="say how many steps of this size the time is",
    )
    parser.add_argument(
        "--at",
        nargs="+",
        type=float,
        metavar="TIME",
        help="say accuracy and policy at these times (0: the base model), also after "
        "the event to stop at",
    )
    parser.add_argument(
        "--compare",
        nargs="+",
        metavar="NAME=VALUE,...",
        help="the same with one option changed at a time, or several joined by commas, "
        "in one table: update=natural-gradient beta=0.01 update=grpo,group-size=4 (as "
        "without -- in front)",
    )
    parser.add_argument(
        "--plot",
        type=Path,
        metavar="FILE",
        help="draw policy and accuracy on log time, compared runs by their accuracy "
        "(.svg, .png or .pdf)",
    )
    parser.add_argument(
        "--csv",
        type=Path,
        metavar="FILE",
        help="write the curves: times where the policy moves, or those of --at",
    )
    parser.add_argument(
        "--max-log10-time",
        type=float,
        default=800.0,
        metavar="X",
        help="log10 of the time limit (default 800)",
    )
    parser.add_argument(
        "--max-steps",
        type=int,
        metavar="N",
        help="step limit of the solver (default 20000)",
    )
    parser.add_argument(
        "--tolerance",
        type=float,
        metavar="X",
        help="error tolerance of the solver (default: 1e-11 exact, 1e-8 flow)",
    )
    parser.add_argument(
        "--method",
        choices=["auto", "exact", "flow"],
        default="auto",
        help="engine: closed form, numerical flow, or the first where it exists "
        "(default auto)",
    )
    looks.add_plain_arguments(parser)


def _parse_weight(item: str) -> tuple[str, float | None]:
    name, equals, weight = item.partition("=")
    if not equals:
        return name, None
    value = as_number(weight)
    if not math.isfinite(value):
        raise UserError(f"--signal {item}: the weight must be a finite number.")
    return name, value


def _choose(table, name: str, option: str):
    if name not in table:
        raise UserError(f"{option} {name} is unknown; {choose_from(name, table)}.")
    return table[name]


def _signal(items: list[str], rule: catalogue.Entry, options: dict[str, object]):
    """The table of one signal, or a list of them with weights: a mixture.

    `rule`, the update it will be used with, counts as an owner of options.
    """
    parsed = [_parse_weight(item) for item in items]
    table = catalogue.signals()
    entries = [_choose(table, name, "--signal") for name, _ in parsed]
    catalogue.check_used([*entries, rule], options)
    tables = [catalogue.table(entry, options) for entry in entries]
    if len(parsed) == 1 and parsed[0][1] is None:
        return tables[0]
    if any(weight is None for _, weight in parsed):
        raise UserError(
            "--signal: in a mixture every signal needs a weight, NAME=WEIGHT."
        )
    return [
        own | {"weight": weight}
        for own, (_, weight) in zip(tables, parsed, strict=True)
    ]


def inputs(args: argparse.Namespace) -> dict:
    """All that decides on the numbers of the result, as plain data.

    Raises `UserError` for options that are out of range or mean nothing.
    """
    if not -300 <= args.max_log10_time <= 1e6:
        raise UserError(
            f"--max-log10-time {args.max_log10_time:g}: give -300 to 1000000."
        )
    if args.max_steps is not None and not 1 <= args.max_steps <= 10**9:
        raise UserError(f"--max-steps {args.max_steps}: give 1 to 1,000,000,000.")
    if args.tolerance is not None and not 1e-15 <= args.tolerance <= 1e-2:
        raise UserError(f"--tolerance {args.tolerance:g}: give 1e-15 to 1e-2.")
    if args.learning_rate is not None and not 1e-300 <= args.learning_rate <= 1e300:
        raise UserError(
            f"--learning-rate {args.learning_rate:g}: give a positive number."
        )
    times = args.at or []
    if not all(0 <= time < math.inf for time in times):
        shown = " ".join(f"{time:g}" for time in times)
        raise UserError(f"--at {shown}: give times from 0 (the base model) on.")
    import simulator as sim

    options = {name: getattr(args, name) for name in catalogue.options()}
    rule = _choose(catalogue.updates(), args.update, "--update")
    signal = _signal(args.signal, rule, options)
    update = catalogue.table(rule, options)
    kinds = (
        (sim.AbstractSignal, signal, "--signal"),
        (sim.AbstractUpdate, update, "--update"),
    )
    signal, update = (objects.encode(objects.named(*kind)) for kind in kinds)
    penalised = bool(getattr(args, "beta", None))
    return {
        "command": "run",
        **base_model.given(args),
        "signal": signal,
        "update": update,
        "until": args.until or (named_events.REST if penalised else "gap=1e-3"),
        "learning_rate": args.learning_rate,
        "at": times,
        "max_log10_time": args.max_log10_time,
        "max_steps": args.max_steps or DEFAULT_STEPS,
        "tolerance": args.tolerance,
        "method": args.method,
        "seed": args.seed,
        "dtype": args.precision,
    }


def _changed(args: argparse.Namespace, change: str) -> argparse.Namespace:
    """The options with some of them given otherwise, as NAME=VALUE,... says."""
    from experiments import cli

    words: list[str] = []
    replaced: list[str] = []
    for part in _parts(change, vars(args)):
        name, _, value = part.partition("=")
        key, option = name.replace("-", "_"), catalogue.option(name)
        if key in SHARED:
            raise UserError(f"--compare {change}: {option} is the same for all runs.")
        # Commas belong to the value: 0.9,0.1 0.6,0.4, or held-out=0.7,0.2.
        rows = key in ("answer_kernel", "attribute", "until")
        words += [option, *(value if rows else value.replace(",", " ")).split()]
        replaced += [key, *INSTEAD.get(key, ())]
    new, unknown = cli.build_parser(["run"]).parse_known_args(["run", *words])
    if unknown:
        raise UserError(f"--compare {change}: {' '.join(unknown)} is no option of run.")
    changed = copy.copy(args)
    for key in replaced:
        setattr(changed, key, getattr(new, key))
    if "attribute" in replaced:
        names = base_model.attributes(new.attribute)
        others = [x for x in args.attribute or () if x.partition("=")[0] not in names]
        changed.attribute = [*others, *new.attribute]
    return changed


def _parts(change: str, options: Container[str]) -> list[str]:
    """The options that change together: what follows a comma and is named like one.

    `update=grpo,group-size=4` is two, `policy=0.2,0.8` and
    `signal=verifiable=0.7,self-certainty=0.3` are one each.
    """
    parts: list[str] = []
    for piece in change.split(","):
        name = piece.partition("=")[0].replace("-", "_")
        if parts and name not in options:
            parts[-1] += f",{piece}"
        else:
            parts.append(piece)
    return parts


def _compared(first: dict, change: str, other: dict) -> dict:
    from experiments.commands import run_words

    same = run_words.same_numbers(first, other)
    return {"change": change, "changes_nothing": same} | other


def main(args: argparse.Namespace) -> int:
    """Print a few lines for people, or one JSON object with `--json`.

    Exit code 1: the solver failed.
    """
    from experiments.commands import run_curves, run_report, run_words
    from simulator.outcome import FAILED_OUTCOMES

    check_writable_file(args.json)
    table = looks.given(args)
    if args.plot is not None:
        run_curves.check_plot(args.plot)
    elif table:
        raise UserError(f"--{next(iter(table))} is of the figure; give --plot FILE.")
    if args.csv is not None:
        run_curves.check_file(args.csv, "--csv")
    runs = {AS_GIVEN: inputs(args)}
    runs |= {change: inputs(_changed(args, change)) for change in args.compare or ()}
    solved = {name: run_report.solved(given) for name, given in runs.items()}
    results = {name: result for name, (result, _) in solved.items()}
    result = results[AS_GIVEN]
    if args.json != "-":
        print(run_words.lines(result))
        if args.compare:
            print("", run_words.comparison(results), sep="\n")
    if args.csv is not None:
        run_curves.write_csv(args.csv, solved)
    if args.plot is not None:
        solutions = {name: solution for name, (_, solution) in solved.items()}
        run_curves.write_plot(args.plot, solutions, result["stamp"], table)
    if args.compare:
        others = list(results.items())[1:]
        result = result | {"compared": [_compared(result, *one) for one in others]}
    write_json(result, args.json)
    failed = any(one["outcome"] in FAILED_OUTCOMES for one in results.values())
    return 1 if failed else 0
