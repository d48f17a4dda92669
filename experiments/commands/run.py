"""`pattern-selection run`: one base model, one recipe, what happens."""

import argparse
import math
import sys

from experiments.runtime.output import check_writable_file, write_json
from experiments.text import base_model, catalogue, events as named_events, objects
from experiments.text.errors import UserError
from experiments.text.numbers import as_number

MOMENTS = {"t0": 0, "t_cross": 1, "t_below_base": 4}  # and their events
MOST_PLATEAUS = 32  # patterns for which it is reported who leads when


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
        raise UserError(f"{option} {name} is unknown; choose from {', '.join(table)}.")
    return table[name]


def build_signal(items: list[str], rule: catalogue.Entry, options: dict[str, object]):
    """One signal, or a mixture if weights or several names are given.

    `rule`, the update it will be used with, counts as an owner of options.
    """
    import simulator

    parsed = [_parse_weight(item) for item in items]
    table = catalogue.signals()
    entries = [_choose(table, name, "--signal") for name, _ in parsed]
    catalogue.check_used([*entries, rule], options)
    tables = [catalogue.table(entry, options) for entry in entries]
    if len(parsed) == 1 and parsed[0][1] is None:
        return objects.named(simulator.AbstractSignal, tables[0], "--signal")
    if any(weight is None for _, weight in parsed):
        raise UserError(
            "--signal: in a mixture every signal needs a weight, NAME=WEIGHT."
        )
    weighted = [
        own | {"weight": weight}
        for own, (_, weight) in zip(tables, parsed, strict=True)
    ]
    return objects.named(simulator.AbstractSignal, weighted, "--signal")


def _refuse_never(event, text: str, problem) -> None:
    """Say why an event that cannot happen does not."""
    import simulator as sim

    best = sim.best_value(problem.log_policy, problem.success_rates)
    said = f"--until {text} is never reached"
    if isinstance(event, sim.Accuracy) and event.level == best:
        raise UserError(
            f"{said}: accuracy may come near the best rate, {best:g}, and never gets "
            "there; give a level just below it, or --until gap=1e-3."
        )
    known = {
        "Accuracy": f"no pattern of the base model is right more often than {best:g}",
        "T0": f"all patterns of the base model are right equally often, {best:g}",
        "Crossing": "some other pattern is always more likely than the best one",
    }
    reason = known.get(type(event).__name__, "it cannot happen to this base model")
    raise UserError(f"{said}: {reason}; give another event or level.")


def report(args: argparse.Namespace) -> dict:
    """Run and return the JSON object of the command."""
    import numpy as np

    import simulator as sim
    from simulator.observables import within_floats

    if not -300 <= args.max_log10_time <= 1e6:
        raise UserError(
            f"--max-log10-time {args.max_log10_time:g}: give -300 to 1000000."
        )
    if args.max_steps is not None and not 1 <= args.max_steps <= 10**9:
        raise UserError(f"--max-steps {args.max_steps}: give 1 to 1,000,000,000.")
    if args.tolerance is not None and not 1e-15 <= args.tolerance <= 1e-2:
        raise UserError(f"--tolerance {args.tolerance:g}: give 1e-15 to 1e-2.")
    limits = {"max_steps": args.max_steps, "tolerance": args.tolerance}
    options = {name: getattr(args, name) for name in catalogue.options()}
    rule = _choose(catalogue.updates(), args.update, "--update")
    signal = build_signal(args.signal, rule, options)
    own = catalogue.table(rule, options)
    update = objects.named(sim.AbstractUpdate, own, "--update")
    problem = sim.Problem(**base_model.given(args))
    event = args.until
    if event is None and not args.beta:
        event = "gap=1e-3"
    events = (
        sim.T0(),
        sim.Crossing(),
        sim.LowestOptimalProbability(),
        sim.PeakAccuracy(),
        sim.BelowBase(),
    )
    stop = named_events.read(event or named_events.REST, "--until")
    few = problem.num_patterns <= MOST_PLATEAUS
    leads = [sim.Leads(k) for k in range(problem.num_patterns)] if few else []
    solution = sim.solve(
        problem,
        signal,
        update,
        until=stop,
        events=(*events, *leads),
        max_log_time=args.max_log10_time * math.log(10),
        method=args.method,
        **{name: value for name, value in limits.items() if value is not None},
    )
    if solution.outcome == sim.Outcome.unreachable:
        _refuse_never(stop, event, problem)
    rates = np.asarray(problem.success_rates)
    base = np.asarray(problem.log_policy)
    final = np.asarray(within_floats(solution.log_probs))

    def moment(index):
        log_time = float(solution.event_log_times[index])
        return _time(log_time) if math.isfinite(log_time) else None

    def log10(index):
        return float(solution.event_log_times[index]) / math.log(10)

    below_base = 0.0 if solution.event_log_times[4] == -math.inf else moment(4)

    def accuracies(name, log_probs):
        log = float(sim.log_accuracy(log_probs, rates))
        return {
            name: float(sim.accuracy(log_probs, rates)),
            f"log10_{name}": log / math.log(10),
        }

    lowest = sim.log_optimal_probability(solution.event_log_probs[2], rates)
    log_lowest = within_floats(lowest)
    log_time = float(solution.log_time)
    stationary = solution.outcome == sim.Outcome.stationary
    ((name, advice),) = solution.advice.items()
    return {
        "outcome": name,
        "advice": advice,
        "time": None if stationary else _time(log_time),
        "log10_time": None if stationary else log_time / math.log(10),
        **accuracies("accuracy", final),
        "policy": np.exp(final).tolist(),
        "log_policy": final.tolist(),
        **accuracies("base_accuracy", base),
        "t0": moment(0),
        "t_cross": moment(1),
        **{f"log10_{name}": log10(index) for name, index in MOMENTS.items()},
        "from_the_start": [k for k, i in MOMENTS.items() if log10(i) == -math.inf],
        "not_defined": ["t0"] if sim.T0().impossible(problem, None) else [],
        "min_optimal_probability": math.exp(log_lowest),
        "log10_min_optimal_probability": float(log_lowest) / math.log(10),
        **accuracies("peak_accuracy", solution.event_log_probs[3]),
        "t_below_base": below_base,
        "plateaus": _plateaus(solution, base, rates, len(events)) if few else None,
        "entropy": float(sim.entropy(final)),
        "kl_to_base": float(sim.kl(final, base)),
        "method": solution.method,
        "num_steps": int(solution.num_steps),
    }


def _plateaus(solution, base, rates, first: int) -> list[dict]:
    """Who leads from when to when; times as those of the result."""
    from simulator.leaders import sequence

    if math.isnan(solution.log_time):
        return []
    log_times = solution.event_log_times[first:]
    return [
        {
            "pattern": plateau.pattern,
            "success_rate": float(rates[plateau.pattern]),
            "from": _time(plateau.log_enter),
            "to": _time(plateau.log_leave),
            "log10_from": plateau.log_enter / math.log(10),
            "log10_to": plateau.log_leave / math.log(10),
        }
        for plateau in sequence(base, log_times, float(solution.log_time))
    ]


def _time(log_time: float) -> float | None:
    """The time itself, or None where a float cannot hold it."""
    return math.exp(log_time) if log_time < 709 else None


def main(args: argparse.Namespace) -> int:
    """Print a few lines for people, or one JSON object with `--json`.

    Exit code 1: the solver failed.
    """
    from simulator.outcome import FAILED_OUTCOMES

    check_writable_file(args.json)
    result = report(args)
    if args.json != "-":
        print(_lines(result))
    write_json(result, args.json)
    return 1 if result["outcome"] in FAILED_OUTCOMES else 0


def _number(value: float | None, log10: float | None, digits: int = 6) -> str:
    """A time or a probability, as a power of ten where a float cannot hold it."""
    if log10 is None or math.isnan(log10):
        return "-"
    if value is None or (value < sys.float_info.min and math.isfinite(log10)):
        return f"10^{log10:.{digits}g}"
    return f"{value:.{digits}g}"


def _lines(result: dict) -> str:
    def number(key):
        return _number(result[key], result[f"log10_{key}"])

    def moment(key):
        log10 = result[f"log10_{key}"]
        if key in result["not_defined"]:
            return "not defined"
        if log10 == -math.inf:
            return "from the start"
        return "not before the end" if log10 == math.inf else number(key)

    time, log10_time = number("time"), result["log10_time"]
    if result["time"]:
        time += f"  (10^{log10_time:.6g})"
    plateaus = result["plateaus"] or []
    leaders = [
        f"pattern {p['pattern']} from t = {_number(p['from'], p['log10_from'])}"
        for p in plateaus
    ]
    policy = " ".join(
        _number(probability, log / math.log(10), 4)
        for probability, log in zip(
            result["policy"][:8], result["log_policy"], strict=False
        )
    )
    more = " ..." if len(result["policy"]) > 8 else ""
    t0_is = "accuracy passes the second-best rate"
    if "t0" in result["not_defined"]:
        t0_is = (
            "no second-best rate: all patterns of the base model are right equally "
            "often"
        )
    return "\n".join(
        [
            f"outcome    {result['outcome']}: {result['advice']}",
            f"time       {time}",
            f"accuracy   {number('base_accuracy')} -> {number('accuracy')}, "
            f"peak {number('peak_accuracy')}",
            f"policy     {policy}{more}",
            f"T0         {moment('t0')}  ({t0_is})",
            f"crossing   {moment('t_cross')}  (best pattern becomes the most likely)",
            f"lowest pi* {number('min_optimal_probability')}",
            f"leaders    {', '.join(leaders) or '-'}",
        ]
    )
