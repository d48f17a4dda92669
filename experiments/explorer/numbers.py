"""The numbers of a state: those of the command `run`, computed for eight patterns."""

from typing import Any

from experiments.commands import run, run_report
from experiments.explorer import exports
from experiments.explorer.arrays import padded
from experiments.explorer.state import State

PER_PATTERN = {"success_rates": 0.0, "logits": -float("inf")}


def numbers(state: State) -> dict[str, Any]:
    """The JSON object of `run` for this state, without stamp; raises `UserError`.

    Computed with patterns that are never drawn up to eight of them, so that one program
    serves all; equal to the command's to about 1e-11.
    """
    from experiments import cli

    parser = cli.build_parser(["run"])
    args = parser.parse_args(exports.words(state))
    args.seed = 0
    inputs = run.inputs(args)
    for name, fill in PER_PATTERN.items():
        inputs[name] = padded(inputs[name], fill).tolist()
    if exports.update(state) == exports.UPDATES["policy-gradient"]:
        rewards = padded(state.rewards(state.run), 0.0).tolist()
        inputs["signal"] = {"name": "fixed-confidence", "confidence": rewards}
    found = run_report.report(inputs)
    K = state.num_patterns
    for name in ("policy", "log_policy"):
        found[name] = found[name][:K]
    del found["stamp"], found["at"], found["attributes"]
    return found
