import errno
import json
import os
import re
import signal
import subprocess
import sys
import threading
from importlib.metadata import version

import numpy as np
import pytest

from experiments import cli
from experiments.runtime import interrupts
from experiments.text import catalogue

EXAMPLE = "run --success-rates 0.9 0.6 0.1 --policy 0.05 0.70 0.25".split()


def test_run_prints_the_contract_as_json(capsys):
    assert cli.main([*EXAMPLE, "--until", "gap=1e-3", "--json", "-"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["outcome"] == "reached" and result["method"] == "exact"
    np.testing.assert_allclose(result["t0"], 42.683163, rtol=1e-7)
    np.testing.assert_allclose(result["t_cross"], 91.857068, rtol=1e-7)
    np.testing.assert_allclose(result["log10_time"], np.log10(result["time"]))
    np.testing.assert_allclose(0.9 - result["accuracy"], 1e-3, rtol=1e-6)
    assert result["min_optimal_probability"] < 0.0434
    first, last = result["plateaus"]
    assert (first["pattern"], last["pattern"]) == (1, 0)
    assert (first["from"], first["to"], last["to"]) == (0, last["from"], result["time"])
    np.testing.assert_allclose(last["from"], result["t_cross"], rtol=1e-12)
    # The same with a best pattern so rare that times are no floats any more.
    words = "run --success-rates 0.9 0.6 0.1 --logits -471 0 0 --until gap=1e-3"
    assert cli.main([*words.split(), "--json", "-"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["t0"] is None and result["t_cross"] is None
    assert result["from_the_start"] == []
    assert 408 < result["log10_t0"] < result["log10_t_cross"] < 410
    assert [p["pattern"] for p in result["plateaus"]] == [1, 0]
    assert cli.main(words.split()) == 0
    assert f"T0         10^{result['log10_t0']:.6g}" in capsys.readouterr().out
    # A solver that gives up is a failure.
    assert cli.main([*words.split(), "--max-steps", "1"]) == 1
    assert "T0         not before the end" in capsys.readouterr().out


def test_a_goal_that_cannot_be_reached_is_one_line(capsys):
    for words, said in (
        ("--policy 0.3 0.7 0 --until accuracy=0.91", "right more often than 0.9;"),
        ("--policy 0.5 0.5 0 --until accuracy=0.95", "right more often than 0.9;"),
    ):
        run = ["run", "--success-rates", "0.9", "0.6", "0.99", *words.split()]
        assert cli.main(run) == 2
        printed = capsys.readouterr()
        assert said in printed.err and printed.err.count("\n") == 1
        assert not printed.out
    # The best rate itself is only approached.
    run = "run --success-rates 0.9 0.6 0.99 --policy 0.3 0.7 0 --until accuracy=0.9"
    for precision in ("float64", "float32"):
        assert cli.main([*run.split(), "--precision", precision]) == 2
        assert capsys.readouterr().err == (
            "error: --until accuracy=0.9 is never reached: accuracy may come near the "
            "best rate, 0.9, and never gets there; give a level just below it, or "
            "--until gap=1e-3.\n"
        )
    run = "run --success-rates 0.9 0.6 0.99 --policy 0.3 0.7 0 --until accuracy=0.89"
    assert cli.main(run.split()) == 0
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    "rates, policy", [("0.9 0.1", "1 0"), ("0.5 0.5", "0.3 0.7")], ids=["one", "equal"]
)
def test_without_a_second_best_rate_t0_is_not_defined(capsys, rates, policy):
    run = f"run --success-rates {rates} --policy {policy}".split()
    assert cli.main(run) == 0
    assert (
        "\nT0         not defined  (no second-best rate: all patterns of the base "
        "model are right equally often)\n"
    ) in capsys.readouterr().out
    assert cli.main([*run, "--json", "-"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["not_defined"] == ["t0"] and result["t0"] is None
    assert result["min_optimal_probability"] == 1  # all of them are best


@pytest.mark.slow
def test_a_run_beyond_all_times_ends_at_the_winner(capsys):
    # log pi = t s + log pi_0: all but the best are below any float at 10^800.
    run = [*EXAMPLE, "--update", "natural-gradient", "--until", "rest"]
    assert cli.main([*run, "--json", "-"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["policy"] == [1, 0, 0] and result["accuracy"] == 0.9
    assert result["log_policy"] == [0, None, None]
    assert (result["outcome"], result["log10_time"]) == ("horizon", 800)
    assert cli.main(run) == 0
    assert "policy     1 0 0\n" in capsys.readouterr().out


@pytest.mark.slow
def test_the_method_can_be_forced_and_does_not_matter(capsys):
    results = {}
    for method in ("exact", "flow"):
        assert cli.main([*EXAMPLE, "--method", method, "--json", "-"]) == 0
        results[method] = json.loads(capsys.readouterr().out)
        assert results[method]["method"] == method
    for key in ("time", "t0", "t_cross", "min_optimal_probability"):
        first, second = results["exact"][key], results["flow"][key]
        np.testing.assert_allclose(first, second, rtol=1e-7)


@pytest.mark.parametrize(
    "words, said",
    [
        ("run --success-rates 0.9 0.6 --policy 0.5 0.6", "sums to 1.1"),
        ("run --success-rates 0.9 1.6 --policy 0.5 0.5", "1.6"),
        ("run --success-rates 0.9 nan --policy 0.5 0.5", "NaN"),
        ("run --success-rates 0.9 --policy 1", "two patterns"),
        ("run --success-rates 0.9 0.6 --policy 0.5 -5e-1", "-0.5"),
        ("run --success-rates 0.9 0.6 --policy 0.5 0.5 --signal magic", "magic"),
        ("run --success-rates 0.9 0.6 --policy 0.5 0.5 --signal self-certainty", "ker"),
        ("run --success-rates 0.9 0.6 --policy 0.5 0.5 --update magic", "magic"),
        ("run --success-rates 0.9 0.6 --policy 0.5 0.5 --beta -1", "-1"),
        ("run --success-rates 0.9 0.6 --policy 0.5 0.5 --until gap=2", "gap=2"),
        (
            "run --success-rates 0.9 0.6 --policy 0.5 0.5 --precision float32 "
            "--until gap=1e-300",
            "counts as 0 in float32; give one from 1.18e-38 to 1 - 5.96e-08, or "
            "--precision float64",
        ),
        (
            "run --success-rates 0.9 0.6 --policy 0.5 0.5 --precision float32 "
            "--until optimal-probability=0.999999999",
            "counts as 1 in float32",
        ),
        (
            "run --success-rates 0.9 0.6 --policy 0.5 0.5 --until gap=1e-310",
            "counts as 0 in float64; give one from 2.23e-308 to 1 - 1.11e-16.",
        ),
        ("run --success-rates 0.9 0.6 --policy 0.5 0.5 --json /none/x", "/none/x"),
        ("run --success-rates x --policy 0.5 0.5", "invalid"),
        (
            "run --success-rates 0.9 0.6 --policy 0.5 0.5 --beta 1 --method exact",
            "closed form",
        ),
        ("run --policy 0.5 0.5 --answer-kernel 0.9,0.3 0.5,0.5", "sums to 1.2"),
        (
            "run --success-rates 0.9 0.6 --policy 0.5 0.5 --group-size 8",
            "--group-size means nothing to verifiable, policy-gradient",
        ),
        (
            "run --success-rates 0.9 0.6 --policy 0.5 0.5 --update grpo --group-size 1",
            "at least 2",
        ),
        (
            "run --success-rates 0.9 0.6 --policy 0.5 0.5 --update grpo "
            "--signal fixed-confidence --confidence 1 2",
            "0 or 1",
        ),
        (
            "run --success-rates 0.9 0.6 --policy 0.5 0.5 --update grpo "
            "--group-size 1e12",
            "use inf",
        ),
        (
            "run --success-rates 0.9 0.6 --policy 0.5 0.5 --update pass-at-n "
            "--attempts 100000000000000000000000",
            "from 1 to",
        ),
        ("verify Z9", "Z9"),
        ("verify --problems 0", "0"),
        ("verify --problems 1" + 12 * "0", "1 to 1,000,000,000"),
        ("run --foo", "run --help"),
        ("phase-diagram quality --set bad_rate=0.1 bad_rate=0.2", "twice"),
        ("falsify C5", "C5 has no margin"),
        ("falsify --steps 0", "--steps 0"),
        ("falsify --restarts -1", "--restarts -1"),
        ("falsify --restarts 100000000000", "from 1 to 10000"),
        ("falsify --precision float32", "float64 only"),
        ("reproduce --out /proc/none", "/proc/none"),
        ("figures nothing", "nothing"),
        ("reproduce tightness", "made by pattern-selection reproduce --all"),
        ("reproduce phase_quality", "phase-diagram quality"),
        ("reproduce optimum --all", "give names or --all"),
        ("reproduce optimun", "did you mean optimum?"),
        ("reproduce optimum --precision float32", "float64 only"),
        ("explain A3.low", "did you mean A3.law?"),
        ("explain a3", "did you mean A3?"),
        ("verify --list B4", "--list goes alone"),
        ("explain gamma", "--symbol gamma"),
        ("explain --symbol gama", "did you mean gamma?"),
        ("dance", "dance"),
        ("run --success-rates 0.9 0.6 --policy 0.5 0.5 --max-log10-time inf", "inf"),
        ("run --success-rates 0.9 0.6 --policy 0.5 0.5 --seed 1" + 20 * "0", "2^63"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_two(capsys, words, said):
    assert cli.main(words.split()) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1 and said in captured.err


def test_ctrl_c_waits_for_compiled_modules():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    done = []
    try:
        with pytest.raises(KeyboardInterrupt), interrupts.wait():
            # To this thread: at the start of a program there are no others.
            signal.pthread_kill(threading.get_ident(), signal.SIGINT)
            done.append("imported")
    finally:
        signal.signal(signal.SIGINT, before)
    assert done


def test_the_catalogue_lists_every_final_class():
    import simulator

    for entries in (catalogue.signals(), catalogue.updates()):
        for entry in entries.values():
            assert hasattr(simulator, entry.class_name) and entry.summary
    final = {
        value
        for value in [getattr(simulator, name) for name in dir(simulator)]
        if isinstance(value, type)
        and issubclass(value, (simulator.AbstractSignal, simulator.AbstractUpdate))
        and not value.__name__.startswith("Abstract")
    }
    listed = [*catalogue.signals().values(), *catalogue.updates().values()]
    names = {entry.class_name for entry in listed} | {"Mixture"}
    assert names == {cls.__name__ for cls in final}


@pytest.mark.slow
def test_every_field_of_a_recipe_is_an_option(capsys):
    fast = [*EXAMPLE, *"--update grpo --group-size 16 --spread sample".split()]
    fast += "--signal noisy-verifier --false-positive 0.1 --json -".split()
    assert cli.main(fast) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["outcome"] == "reached" and result["method"] == "exact"
    assert result["time"] < 758


def test_help_names_signals_and_updates(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["run", "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert "self-certainty" in text and "natural-gradient" in text


@pytest.mark.parametrize(
    "command, said",
    [
        ("train", "is drawn twice moves about twice as far (with sgd)."),
        ("train", "equally good has none, and is left out (`run` and `sweep` give 1)."),
        ("sweep", "Where all patterns are equally good, all are best: pi_* is 1"),
    ],
)
def test_help_says_what_a_number_means(capsys, command, said):
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    assert said in " ".join(capsys.readouterr().out.split())


def test_a_full_output_is_one_line():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "experiments.cli", "train", "--print-recipe"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 2
    assert done.stderr == "error: the output: No space left on device.\n"


@pytest.mark.parametrize("value", ["0", "", "abc", "1.5"])
def test_a_number_of_devices_that_is_none_is_one_line(capsys, monkeypatch, value):
    monkeypatch.setenv("JAX_NUM_CPU_DEVICES", value)
    assert cli.main(EXAMPLE) == 2
    assert capsys.readouterr().err == (
        f"error: the environment has JAX_NUM_CPU_DEVICES={value!r}; give a whole "
        "number from 1 on, or unset it.\n"
    )


def test_devices_that_jax_does_not_have_are_one_line():
    name, value = "JAX_PLATFORMS", "abacus"
    words = ["run", "--success-rates", "0.9", "0.1", "--policy", "0.5", "0.5"]
    others = {k: v for k, v in os.environ.items() if k not in cli.DEVICES}
    done = subprocess.run(
        [sys.executable, "-m", "experiments.cli", *words],
        env=others | {name: value},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and done.stdout == ""
    said = f"error: JAX cannot start with {name}='{value}' (Unable to initialize "
    assert done.stderr.startswith(said) and done.stderr.count("\n") == 1
    assert done.stderr.endswith("install what is named there, or unset it.\n")


def test_probabilities_below_those_of_floats_are_powers_of_ten(capsys):
    words = "run --success-rates 0.9 0.6 0.1 --policy 1e-300 0.7 0.3".split()
    assert cli.main(words) == 0
    lines = dict(
        line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()
    )
    assert cli.main([*words, "--json", "-"]) == 0
    result = json.loads(capsys.readouterr().out)
    # With u_k = 1/pi_k at the start, u_0 = 1e300 - 0.3 tau and u_2 = 0.5 tau, pi_0 is
    # 1e300 / 0.21 / (u_0^2 u_2): least at tau = 1e300 / 0.9.
    lowest = np.log10(1 / 0.21 / ((2 / 3) ** 2 * 0.5 / 0.9)) - 600
    np.testing.assert_allclose(result["log10_min_optimal_probability"], lowest)
    assert lines["lowest"] == f"pi* 10^{lowest:.6g}"
    assert lines["time"] == f"10^{result['log10_time']:.6g}"


def test_a_small_accuracy_is_a_power_of_ten(capsys):
    words = "run --success-rates 1 0 0 --logits -1000 0 0".split()
    assert cli.main(words) == 0
    base = -1000 / np.log(10) - np.log10(2)
    out = capsys.readouterr().out
    assert f"accuracy   10^{base:.6g} -> 0.999, peak 0.999" in out
    assert "policy     0.999 0.0005 0.0005" in out


def test_patterns_that_floats_do_not_show_are_powers_of_ten(capsys):
    words = "run --success-rates 0.9 0.6 0.1 --logits 0 -1000 -inf --until rest".split()
    assert cli.main([*words, "--max-log10-time", "0"]) == 0
    shown = -1000 / np.log(10)
    assert f"policy     1 10^{shown:.4g} 0\n" in capsys.readouterr().out


def test_a_policy_of_one_pattern_has_no_time_and_no_negative_zero(capsys):
    words = "run --success-rates 0.9 0.6 0.1 --policy 1 0 0 --until rest".split()
    assert cli.main(words) == 0
    assert "\ntime       -\n" in capsys.readouterr().out
    assert cli.main([*words, "--json", "-"]) == 0
    assert not re.search(r"-0\.0\b", capsys.readouterr().out)


def test_a_policy_that_misses_one_by_rounding_is_divided_by_its_sum(capsys):
    words = "run --success-rates 0.9 0.6 0.1 --json - --policy".split()
    assert cli.main([*words, *3 * ["0.333333"]]) == 0
    captured = capsys.readouterr()
    assert captured.err == "note: --policy sums to 0.999999; divided by the sum.\n"
    np.testing.assert_allclose(json.loads(captured.out)["base_accuracy"], 1.6 / 3)
    assert cli.main([*words, *3 * ["0.33333"]]) == 0  # 1e-5 off
    assert "sums to 0.99999; divided" in capsys.readouterr().err
    assert cli.main([*words, "0.1", "0.2", "0.7"]) == 0  # 1e-16 off
    assert capsys.readouterr().err == ""
    assert cli.main([*words, *3 * ["0.3333"]]) == 2
    assert "sums to 0.9999; prob" in capsys.readouterr().err


def test_a_refusal_of_the_system_without_a_file_is_not_blamed_on_the_output(
    monkeypatch, capsys
):
    def refuse(args):
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    monkeypatch.setattr("experiments.commands.verify.main", refuse)
    assert cli.main(["verify"]) == 2
    assert capsys.readouterr().err == (
        "error: the system refused: Cannot allocate memory.\n"
    )


def test_a_claim_given_for_a_statement_is_told_whose_it_is(capsys):
    assert cli.main(["verify", "A3.law"]) == 2
    assert "give A3." in capsys.readouterr().err
    assert cli.main(["verify", "Z3.law"]) == 2
    assert "choose from A1" in capsys.readouterr().err


def test_help_of_no_command_loads_what_takes_long():
    script = """
import sys
from experiments import cli
for command in cli.COMMANDS:
    cli.build_parser([command, "--help"])
print(*{name.split(".")[0] for name in sys.modules})
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not {"jax", "scipy", "theory", "matplotlib"} & set(done.stdout.split())


@pytest.mark.parametrize(
    "words, said",
    [
        ("rnu", "'rnu' is no command; did you mean run? Choose from run, train"),
        ("magic", "'magic' is no command; choose from run, train"),
        (" ".join(EXAMPLE) + " --update grpoo", "did you mean grpo? Choose from"),
        (" ".join(EXAMPLE) + " --signal verifable", "did you mean verifiable?"),
        ("train --recipe grop", "did you mean grpo? Choose from dapo"),
        ("phase-diagram qualty", "did you mean quality?"),
        ("figures delya", "did you mean delay?"),
        ("--magic", "unrecognized arguments: --magic (see pattern-selection --help)"),
    ],
)
def test_the_nearest_name_is_suggested(words, said, capsys):
    assert cli.main(words.split()) == 2
    printed = capsys.readouterr().err
    assert said in printed and printed.count("\n") == 1


def test_without_a_command_there_is_help_and_a_version(capsys):
    assert cli.main([]) == 0
    assert "positional arguments" in capsys.readouterr().out
    assert cli.main(["--version"]) == 0
    assert (
        capsys.readouterr().out == f"pattern-selection {version('pattern-selection')}\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "experiments", "--version"], capture_output=True
    )
    assert done.returncode == 0 and done.stdout.startswith(b"pattern-selection ")
