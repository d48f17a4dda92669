"""A program that follows the READMEs passes the type checkers as they are."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
READMES = ("README.md", "simulator/README.md")
CALLS = """
import jax.numpy as jnp
import numpy as np
import simulator as sim
from simulator import rollouts as ro

problem = sim.Problem([0.9, 0.6, 0.1], policy=np.array([0.05, 0.70, 0.25]))
events = [sim.T0(), sim.Leads(0), sim.Accuracy(0.8), sim.PeakAccuracy()]
solution = sim.solve(
    problem,
    sim.NoisyVerifier(0.1, false_negative=0.2),
    sim.GRPO(8, spread="sample"),
    until=sim.Gap(1e-3),
    events=events,
    save_log_times=np.linspace(0, 5, 20),
    observe=lambda log_probs: jnp.max(log_probs),
    progress=lambda done, total: print(done / total),
)
when: float = float(solution["t0"].log_time)
print(solution.at(sim.T0()).happened, solution.outcome_names, solution.advice)
for update in (sim.PolicyGradient(beta=0.1), sim.NaturalGradient(0.1)):
    print(sim.flow(problem, sim.FixedConfidence([0.1, 0.2, 0.3]), update).time)
print(sim.accuracy(np.log([0.5, 0.5]), [0.1, 0.2]), problem[0], solution[0].policy)
recipe = ro.Recipe(
    feedback=ro.Verifier(0.1),
    estimator=ro.RLOO(),
    surrogate=ro.Clipped(0.2, 0.28, epochs=2),
    penalties=(ro.KLReward(1.0),),
    group_size=4,
    learning_rate=[0.1, 0.2],
    optimizer=ro.Optimizer("adam"),
)
run = ro.train(problem, recipe, num_seeds=3, save_at=range(10, 1001, 10))
print(run.plot(quantiles=(0.1, 0.9)), solution.plot(), run.to_xarray())
print(solution.to_pandas())


class Slow(sim.AbstractClock):
    def log_factor(self, log_p: jnp.ndarray, log_q: jnp.ndarray) -> jnp.ndarray:
        return jnp.full_like(log_p, -1.0)


print(sim.exact(problem, sim.Verifiable(), Slow()).accuracy)
"""
WRONG = {
    "keyword": "sim.solve(problem, sim.Verifiable(), untill=sim.T0())",
    "method": "sim.solve(problem, sim.Verifiable(), method='fast')",
    "signal": "sim.solve(problem, sim.T0())",
    "missing": "sim.Gap()",
    "two levels": "sim.Gap(0.1, 0.2)",
    "name": "sim.Problems",
    "attribute": "sim.solve(problem, sim.Verifiable()).log_times",
    "moment": "sim.solve(problem, sim.Verifiable())['t0'].log_tim",
}


def snippets():
    for name in READMES:
        for i, text in enumerate(
            re.findall(r"^```python\n(.*?)^```", (ROOT / name).read_text(), re.M | re.S)
        ):
            yield f"{Path(name).parent.name or 'top'}_{i}", text


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with all snippets, the calls, and one file with wrong ones."""
    folder = tmp_path_factory.mktemp("user")
    for name, text in snippets():
        (folder / f"{name}.py").write_text(text)
    (folder / "calls.py").write_text(CALLS)
    head = "import simulator as sim\nproblem = sim.Problem([0.9, 0.1], [0.5, 0.5])\n"
    (folder / "wrong.py").write_text(head + "\n".join(WRONG.values()) + "\n")
    assert len(list(folder.iterdir())) >= 4
    return folder


def checked(command, files):
    """Messages by file."""
    names = sorted(path.name for path in files.glob("*.py"))
    environment = os.environ | {"MYPYPATH": str(ROOT), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*command, *names], cwd=files, env=environment, capture_output=True, text=True
    )
    lines = done.stdout.splitlines()
    return {name: [x for x in lines if f"{name}:" in x] for name in names}, done


def check(command, files):
    said, done = checked(command, files)
    wrong = said.pop("wrong.py")
    assert not [line for lines in said.values() for line in lines], done.stdout
    for row, name in enumerate(WRONG, start=3):
        assert [x for x in wrong if f"wrong.py:{row}:" in x], (name, done.stdout)


def test_mypy_strict(files):
    folder = files / "cache"
    # `jax.config.update` of JAX itself has no annotations.
    own = "--follow-imports=silent", "--untyped-calls-exclude=jax"
    options = "--strict", *own, f"--cache-dir={folder}"
    check([sys.executable, "-m", "mypy", *options], files)


@pytest.mark.skipif(shutil.which("pyright") is None, reason="needs pyright")
def test_pyright(files):
    paths = f'{{"extraPaths": ["{ROOT}"], "reportUnusedExpression": false}}'
    (files / "pyrightconfig.json").write_text(paths)
    check(["pyright", "--pythonpath", sys.executable], files)


def test_packages_say_that_they_are_typed():
    for package in ("simulator", "theory"):
        assert (ROOT / package / "py.typed").read_text() == ""
