"""Every number and line that a command prints has a test with an independent witness.

What is printed is read off the source: every event class, every observable of sweeps,
every text with values in it, every key of a JSON object. Each has a test that compares
it with a value found another way (a closed form, `theory`, an integration in SciPy,
plain NumPy, a count in the stored arrays). Tests of events and observables say so in
`pytest.mark.witness`, the others are registered here. Something new that is printed
fails here until it has one.
"""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import experiments
import simulator as sim
from experiments import cli
from experiments.sweeps import observables
from tests.experiments.sweeps import small

TESTS = Path(__file__).parent
SOURCE = Path(experiments.__file__).parent

RUN = "differential/test_commands.py::test_run_prints_what_the_witness_finds"
CELLS = "differential/test_sweeps.py::test_every_observable_is_what_the_witness_finds"
STORE = "differential/test_sweeps.py::test_what_a_sweep_says_is_what_its_store_holds"
COMMANDS = "experiments/commands/"
ATTRIBUTES = COMMANDS + "test_run_attributes.py::test_means_are_those_of_scipy"
CURVES = COMMANDS + "test_run_curves.py::"
RERUN = COMMANDS + "test_rerun.py::"
ENDS = COMMANDS + "test_run_ends.py::"
PLATEAU = ENDS + "test_every_event_that_holds_on_a_plateau_says_who_wins_later"
LEVEL = ENDS + "test_patterns_that_are_equally_likely_are_all_named"
REPORT = COMMANDS + "test_train_report.py::"
CONTRACT = "test_train_prints_the_contract_as_json"
EXACT = "simulator/engines/exact/test_exact.py::"
OBJECT = REPORT + "test_every_number_of_the_object_is_that_of_the_policies"
FIRST = REPORT + "test_the_first_step_is_that_of_the_policies"
TABLE = REPORT + "test_every_column_of_the_table_is_that_of_the_policies"
ROLLOUTS = "simulator/rollouts/test_train.py::"
SWEEP = "experiments/sweeps/test_sweep_command.py::"
SPREAD = (
    "experiments/text/test_spread.py::"
    "test_the_spread_that_is_said_is_the_one_that_training_divides_by"
)
SOLVING = "experiments/sweeps/test_solving.py::"
OUTCOME = SOLVING + "test_runs_that_fail_are_counted_and_leave_no_number"
CELL = SWEEP + "test_a_cell_alone_gives_the_same_number"
FORMAT = ""  # a part of another text, a name or advice: no number of its own

RUN_KEYS = {
    name: RUN
    for name in (
        "outcome",
        "time",
        "log10_time",
        "accuracy",
        "log10_accuracy",
        "policy",
        "log_policy",
        "base_accuracy",
        "log10_base_accuracy",
        "t0",
        "t_cross",
        "log10_t0",
        "log10_t_cross",
        "t_below_base",
        "log10_t_below_base",
        "t_peak",
        "log10_t_peak",
        "final_pattern",
        "final_pattern_is_best",
        "best_pattern",
        "best_rate",
        "steps",
        "from_the_start",
        "not_defined",
        "min_optimal_probability",
        "log10_min_optimal_probability",
        "peak_accuracy",
        "log10_peak_accuracy",
        "plateaus",
        "entropy",
        "kl_to_base",
    )
} | {
    "final_patterns": LEVEL,
    "paid_more": PLATEAU,
    "not_before_the_end": ENDS
    + "test_what_never_happens_is_told_from_what_has_not_happened_yet",
    "attributes": ATTRIBUTES,
    "num_steps": CELLS,
    "at": CURVES + "test_what_is_said_at_times_is_what_scipy_finds",
    "stamp": RERUN + "test_a_result_is_repeated_to_the_same_bits",
    "method": EXACT + "test_the_engine_is_chosen_by_what_is_known",
    "advice": FORMAT,
}
PLATEAU_KEYS = {
    name: RUN
    for name in ("pattern", "success_rate", "from", "to", "log10_from", "log10_to")
}
TRAIN_KEYS = {
    name: OBJECT
    for name in (
        "seeds",
        "questions",
        "outcomes",
        "lost",
        "steps",
        "accuracy",
        "optimal_probability",
        "log10_optimal_probability",
        "entropy",
        "kl_to_base",
        "kl_to_reference",
        "questions_without_best",
        "pass_at_8",
        "final_policy",
        "by_seed",
        "by_question",
    )
} | {
    "first_step": FIRST,
    "stamp": COMMANDS + "test_train.py::" + CONTRACT,
    "recipe": COMMANDS + "test_train.py::" + CONTRACT,
    "advice": COMMANDS + "test_train.py::test_divergence_is_said_with_advice",
    "method": FORMAT,
    "groups": ROLLOUTS + "test_a_replaced_group_is_of_any_question",
}
SWEEP_KEYS = {
    name: STORE
    for name in (
        "store",
        "cells",
        "missing",
        "runs",
        "outcomes",
        "unresolved",
    )
} | {
    "advice": SWEEP + "test_unresolved_runs_are_said_and_done_again",
    "undecided": SWEEP + "test_times_that_are_not_decided_are_counted",
    "arrays": SWEEP + "test_the_object_has_a_digest_of_every_array",
    "stamp": RERUN + "test_the_object_of_a_sweep_is_repeated_without_its_files",
}

# Texts with values in them, as in the source, by module.
TEXTS = {
    "commands/run.py": {
        "  {}  {}": FORMAT,
        ",{}": FORMAT,
        "{}": FORMAT,
    },
    "commands/run_report.py": {
        "log10_{}": FORMAT,
        "t_{}": FORMAT,
        "log10_t_{}": FORMAT,
        "--until {}": RUN,
    },
    "commands/run_words.py": {
        "outcome    {}: {}": RUN,
        "time       {}": RUN,
        "  (10^{})": RUN,
        "accuracy   {}, peak {}": RUN,
        "{} -> {}": RUN,
        "{} ": RUN,
        "at t = {}": RUN,
        "{} {} {}": ATTRIBUTES,
        "attribute  {} {} -> {}, ": ATTRIBUTES,
        ", {} {}": ATTRIBUTES,
        "log10_t_{}": FORMAT,
        "at t = {}  accuracy {}, policy {}{}": CURVES
        + "test_what_is_said_at_times_is_what_scipy_finds",
        "{}, {}": CURVES + "test_a_comparison_is_that_of_runs_one_by_one",
        "{}; pattern {} {}": ENDS + "test_a_comparison_says_where_each_run_stopped",
        "{}: changes nothing; all numbers are those of the first run": ENDS
        + "test_a_change_that_changes_nothing_is_named",
        "later      {}": PLATEAU,
        "pattern {} is paid more ({}{}; pattern {}: {})": PLATEAU,
        "{} and wins later; the run stopped {}": PLATEAU,
        "{} for now; --until rest shows whether it wins": ENDS
        + "test_where_rewards_move_nobody_is_said_to_win",
        "patterns {}{}": LEVEL,
        "pattern {}": RUN,
        "success rate {}": RUN,
        "{} ({})": RUN,
        "steps      {}  (at learning rate {})": RUN,
        "below base {}  (accuracy stays below its start)": RUN,
        "ended at   {}": RUN,
        "{} with probability {}, {}": RUN,
        "pattern {}, {}": RUN,
        "policy     {}{}": RUN,
        "T0         {}  ({})": RUN,
        "crossing   {}  (best pattern becomes the most likely)": RUN,
        "lowest pi* {}": RUN,
        "leaders    {}": RUN,
        "spread     {}": SPREAD,
        "{}: spread {}": SPREAD,
        "pattern {} from t = {}": RUN,
        "10^{}": COMMANDS + "test_cli.py::test_run_prints_the_contract_as_json",
        "log10_{}": FORMAT,
        "{}": FORMAT,
    },
    "commands/rerun.py": {
        "{}: {} values, {}": RERUN + "test_a_changed_number_is_named",
        "{} differ": RERUN + "test_a_changed_number_is_named",
        "  {}: {}, now {}": RERUN + "test_a_changed_number_is_named",
        "  made with {} {}, now {}": RERUN + "test_a_changed_number_is_named",
        "{} does not say what it is of ({}: {}); give a result that this version of "
        "pattern-selection has written.": RERUN + "test_what_is_no_result_is_one_line",
        "  and {} more": RERUN + "test_a_changed_input_gives_other_numbers",
        "{}.{}": FORMAT,
        "{}[{}]": FORMAT,
        "{}...": FORMAT,
    },
    "commands/train.py": {
        "{} [{}]": FORMAT,
        "  {} {}": FORMAT,
    },
    "commands/train_words.py": {
        "{} {}": TABLE,
        "10^{}": COMMANDS + "test_train.py::"
        "test_a_rare_best_pattern_is_shown_with_its_size",
        "{} seeds: {}": TABLE,
        "all {} steps taken": TABLE,
        "all {} steps taken by {}": COMMANDS + "test_train.py::"
        "test_runs_that_fail_are_counted_apart",
        "; the best pattern is lost in {} %": TABLE,
        "pi* and what is lost leave out {} of {} questions: all of their patterns are "
        "equally good": TABLE,
        "groups: {} % idle (all rewards equal)": TABLE,
        ", {} redrawn per group used": ROLLOUTS
        + "test_a_replaced_group_is_of_any_question",
        "{}: {}": COMMANDS + "test_train.py::test_divergence_is_said_with_advice",
        "{}": FORMAT,
        "GRPO divides by the {}": SPREAD,
        " (mean of {} questions)": FIRST,
        "{}: first at step {} (10, 50, 90 % of the seeds); {} % never in {} steps": (
            FIRST
        ),
    },
    "text/events.py": {
        "{}: {}{}": FORMAT,
        "{}={}": FORMAT,
        "{} {}": FORMAT,
        "{}: at rest, or at the time limit": FORMAT,
        "{} is never reached": RUN,
        "{}: accuracy may come near the best rate, {}, and never gets there; give a "
        "level just below it{}.": RUN,
        "no pattern of the base model is right more often than {}": RUN,
        "all patterns of the base model are right equally often, {}": RUN,
        "{}: {}; give another event or level.": RUN,
        "{}: no pattern of the base model has an attribute beyond this level; give "
        "another level.": COMMANDS
        + "test_run_attributes.py::test_what_is_wrong_is_one_line",
    },
    "text/spread.py": {
        "{} standard deviation + {}": SPREAD,
        "{}, as in train --recipe grpo": SPREAD,
        "{}, as in run --update grpo": SPREAD,
        "{}; to match train --recipe grpo, add {}": SPREAD,
        "{}; to match run --update grpo, set {} in the recipe": SPREAD,
        "--spread {} --epsilon {}": SPREAD,
        'spread = "{}", epsilon = {}': SPREAD,
    },
    "sweeps/command.py": {
        "cells      {}, {}": STORE,
        "{} not stored yet": STORE,
        "outcomes   {}": STORE,
        "note       {} is inf in {} cells: not before the run ended, which is not "
        'never; until = "rest" tells': SWEEP
        + "test_times_that_are_not_decided_are_counted",
        "load       xarray.open_zarr({})": STORE,
        "           {}: {}": SWEEP + "test_unresolved_runs_are_said_and_done_again",
        "the rest is for the other shards of {}": SWEEP + "test_json_and_shards",
        "{} runs failed (stored as NaN)": STORE,
        "{}; just those again, with more steps:": STORE,
        "  {}": SWEEP + "test_printed_commands_can_be_pasted",
        "./{}": SWEEP + "test_printed_commands_can_be_pasted",
        "{} cells computed again": SWEEP
        + "test_unresolved_runs_are_said_and_done_again",
        "{} of {} units are stored in {}; the same command goes on.": SWEEP
        + "test_real_processes_killed_and_interrupted_go_on",
        "{} of {} units are not stored yet: the command without --check computes "
        "them": SWEEP + "test_a_check_writes_nothing",
        "unit {} [{}]: {}": SWEEP + "test_check_and_repair",
        "coordinate {}": SWEEP + "test_check_and_repair",
        "{} is damaged": SWEEP + "test_check_and_repair",
        "{}:{}": FORMAT,
        "{} {}": FORMAT,
        "{}.zarr": FORMAT,
    },
    "sweeps/one_cell.py": {
        "{} = {}": CELL,
        "{} {}": CELL,
        "{} <<'END'\n{}END": SWEEP + "test_a_sampled_cell_alone_gives_the_same_number",
        "# What is stored is of {}: numbers may differ.": SWEEP
        + "test_a_mixed_store_is_looked_at_with_mix",
        "{}={}": FORMAT,
        "{}": FORMAT,
    },
    "commands/phase_diagram.py": {
        "{}.zarr": FORMAT,
    },
}


def final_classes(kind: type) -> set[type]:
    """All classes of `simulator` below one that are no base class."""
    below = [child for k in kind.__subclasses__() for child in (k, *final_classes(k))]
    ours = (k for k in below if k.__module__.startswith("simulator."))
    return {k for k in ours if not k.__name__.startswith("Abstract")}


def texts(path: str) -> set[str]:
    """Every text with values in it that a module makes, `{}` for a value.

    Errors (in `raise`) and help (`add_arguments`) are left out.
    """
    found: set[str] = set()

    def walk(node: ast.AST) -> None:
        if isinstance(node, ast.Raise):
            return
        if isinstance(node, ast.FunctionDef) and node.name == "add_arguments":
            return
        if isinstance(node, ast.JoinedStr):
            parts = (getattr(part, "value", "") for part in node.values)
            texts = (p if isinstance(p, str) else "{}" for p in parts)
            found.add("".join(texts))
            return
        for child in ast.iter_child_nodes(node):
            walk(child)

    walk(ast.parse((SOURCE / path).read_text(encoding="utf-8")))
    return found


def printed(capsys, *words: str) -> dict:
    """The JSON object of a command."""
    assert cli.main([*words, "--json", "-"]) == 0
    return json.loads(capsys.readouterr().out)


ONE = "--success-rates 0.9 0.6 0.1 --policy 0.05 0.70 0.25".split()


def marked() -> Iterator[tuple[str, str]]:
    """The names in `pytest.mark.witness(...)`, each with the test that is marked."""
    for path in sorted(TESTS.rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if "mark.witness(" not in text:
            continue
        for node in ast.parse(text).body:
            for mark in getattr(node, "decorator_list", []):
                if ast.unparse(mark).startswith("pytest.mark.witness("):
                    test = f"{path.relative_to(TESTS).as_posix()}::{node.name}"
                    yield from ((name.value, test) for name in mark.args)


def test_every_event_and_every_observable_of_a_sweep_has_a_witness():
    public = {name: getattr(sim, name) for name in sim.__all__}
    kinds = final_classes(sim.AbstractEvent)
    events = {k.__name__ for k in kinds if public.get(k.__name__) is k}
    assert {name for name, _ in marked()} == events | set(observables.TABLE)


@pytest.mark.parametrize("path", TEXTS)
def test_every_text_with_a_value_in_it_has_a_witness(path):
    assert texts(path) == set(TEXTS[path])


def test_every_key_of_run_has_a_witness(capsys):
    result = printed(capsys, "run", *ONE)
    assert set(result) == set(RUN_KEYS)
    assert set(result["plateaus"][0]) == set(PLATEAU_KEYS)


def test_every_key_of_train_has_a_witness(capsys):
    words = ["train", *ONE, "--recipe", "rloo", "--steps", "20", "--seeds", "8"]
    assert set(printed(capsys, *words)) == set(TRAIN_KEYS)


def test_every_key_of_a_sweep_has_a_witness(capsys, tmp_path):
    file = tmp_path / "small.toml"
    file.write_text(small.TEXT)
    assert set(printed(capsys, "sweep", str(file))) == set(SWEEP_KEYS)


def registered() -> list[str]:
    """Every test that is named above."""
    tables = (RUN_KEYS, PLATEAU_KEYS, TRAIN_KEYS, SWEEP_KEYS, *TEXTS.values())
    named = {test for table in tables for test in table.values()}
    return sorted((named | {test for _, test in marked()}) - {FORMAT})


@pytest.mark.parametrize("test", registered())
def test_what_is_registered_is_a_test_that_compares(test):
    path, _, name = test.partition("::")
    assert Path(path).name.startswith("test_") and name.startswith("test_")
    tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
    (found,) = [n for n in tree.body if getattr(n, "name", "") == name]
    assert isinstance(found, ast.FunctionDef)
    marks = [ast.unparse(mark) for mark in found.decorator_list]
    assert not any("skip" in mark or "xfail" in mark for mark in marks)
    asserts = [
        n
        for n in ast.walk(found)
        if isinstance(n, ast.Assert)
        or (isinstance(n, ast.Call) and "assert_" in ast.unparse(n.func))
    ]
    assert asserts
