"""The numbers of the tour are those of the engine."""

import re
from pathlib import Path

import simulator as sim

TOUR = Path(__file__).parents[3] / "experiments" / "explorer" / "README.md"
RATES, RARE = [0.9, 0.6, 0.1], [0.01, 0.73, 0.26]


def first(policy, update):
    problem = sim.Problem(RATES, policy)
    return float(sim.solve(problem, sim.Verifiable(), update, until=sim.T0()).time)


def test_the_numbers_of_the_tour():
    text = " ".join(TOUR.read_text(encoding="utf-8").split())
    plain = first(RARE, sim.PolicyGradient())
    often = first([0.05, 0.70, 0.25], sim.PolicyGradient())
    said = re.search(r"T0 = ([\d.]+):", text)[1]
    assert said == f"{plain:.6g}"
    assert re.search(r"takes off (\d+) times later", text)[1] == f"{plain / often:.0f}"
    groups = re.search(r"T0 is ([\d.]+) for 8 and ([\d.]+) for 64", text).groups()
    assert groups == tuple(f"{first(RARE, sim.GRPO(g)):.6g}" for g in (8, 64))
