"""All papers: verdicts as expected, figures from saved data, the page, bad input."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from experiments.cli import main
from experiments.commands import figures, gallery
from experiments.gallery import MODULES, NAMES, paper, verdict
from experiments.runtime.stamp import stamp

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "experiments" / "gallery"
STORED = ROOT / "figures" / "gallery"


def module_name(name):
    return name.replace("-", "_")


@pytest.mark.parametrize("name", NAMES)
def test_verdicts_are_those_expected(name, quick):
    for row in gallery.judge(name, quick(name), True, 0):
        assert row["verdict"] == row["expected"], row
        assert row["verdict"] in verdict.VERDICTS and row["criterion"]
        assert row["measured"], f"{row['claim']}: no numbers"


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_drawn_from_saved_data_alone(name, quick, tmp_path, monkeypatch):
    figures.save_data(quick(name), {"paper": name}, tmp_path, module_name(name))
    module = paper(name)
    for constant in [word for word in vars(module) if word.isupper()]:
        monkeypatch.delattr(module, constant)
    gallery.draw(name, tmp_path)
    assert (tmp_path / f"{module_name(name)}.svg").stat().st_size > 10_000


@pytest.mark.parametrize("name", NAMES)
def test_the_page_says_what_the_stored_data_say(name):
    data, stamp = figures.saved_data(STORED / "data" / f"{module_name(name)}.npz")
    config = stamp["config"]
    assert not config["quick"], "stored data are those of the whole ensembles"
    rows = gallery.judge(name, data, False, config["seed"])
    assert all(row["verdict"] == row["expected"] for row in rows)
    page = (FOLDER / "README.md").read_text("utf-8")
    table = gallery.page(rows)
    missing = [line for line in table.splitlines() if line not in page]
    assert not missing, "put this table into the section of the paper:\n" + table
    line = gallery.summary(name, rows, "").removesuffix("  |")
    assert line in page, f"the table of all papers has no line {line}"
    assert f"gallery/{module_name(name)}.svg" in page
    for kind in ("svg", "png"):
        assert (STORED / f"{module_name(name)}.{kind}").exists()


def test_no_experiment_has_an_engine_of_its_own():
    """Integrators and softmax updates belong to the simulator."""
    engines = r"solve_ivp|odeint|while_loop|lax\.scan|fori_loop|softmax\(|diffrax|optax"
    for file in FOLDER.rglob("*.py"):
        text = file.read_text("utf-8")
        found = re.findall(engines, text)
        assert not found, f"{file.name} has {found}"
        if file.stem in MODULES:
            assert len(text.splitlines()) <= 200, f"{file.name} is over 200 lines"


def test_a_share_and_its_interval():
    """Clopper and Pearson's table: 8 of 10 is 44.4 % to 97.5 %."""
    found = verdict.ensemble([True] * 8 + [False] * 2)
    assert found["problems"] == 10 and found["share"] == 0.8
    np.testing.assert_allclose(found["interval"], [0.4439, 0.9748], atol=1e-4)
    assert verdict.ensemble(None) is None


def test_criteria_that_contradict_each_other_are_an_error():
    assert verdict.judged(True) == "reproduced" and verdict.judged(False) == "partly"
    assert verdict.judged(False, True) == "refuted"
    with pytest.raises(ValueError, match="both met"):
        verdict.judged(True, True)
    with pytest.raises(ValueError, match="no verdict"):
        verdict.Claim("a", "b", "c", "true")


def test_a_claim_without_a_finding_is_an_error(quick):
    class Forgetful:
        CLAIMS = paper("hallucination").CLAIMS

        @staticmethod
        def findings(data):
            return paper("hallucination").findings(data)[1:]

    with pytest.raises(ValueError, match="findings on"):
        verdict.rows(Forgetful, "x", quick("hallucination"), 0)


@pytest.fixture
def known_data(monkeypatch, quick):
    """The command with data that are computed already."""
    quick("hallucination")
    monkeypatch.setattr(gallery, "compute", lambda name, few, seed: quick(name))


def test_the_command_writes_figures_data_and_json(known_data, tmp_path, capsys):
    target = tmp_path / "found.json"
    asked = ["gallery", "hallucination", "--quick", "--out", str(tmp_path)]
    assert main([*asked, "--json", str(target)]) == 0
    rows = json.loads(target.read_text())
    assert {row["paper"] for row in rows} == {"hallucination"}
    for key in ("claim", "verdict", "expected", "criterion", "measured", "seed"):
        assert all(key in row for row in rows)
    assert rows[0]["ensemble"].keys() == {"problems", "share", "interval"}
    assert (tmp_path / "hallucination.png").exists()
    assert (tmp_path / "data" / "hallucination.npz").exists()
    assert "reproduced" in capsys.readouterr().out


def test_another_verdict_than_expected_is_exit_code_1(
    known_data, tmp_path, capsys, monkeypatch
):
    def others(data):
        return [
            verdict.Finding(claim.id, "out of reach", {"x": 1.0})
            for claim in paper("hallucination").CLAIMS
        ]

    monkeypatch.setattr(paper("hallucination"), "findings", others)
    assert main(["gallery", "hallucination", "--quick", "--out", str(tmp_path)]) == 1
    assert "hump: out of reach, expected partly" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options, said",
    [
        (["halucination"], "halucination is unknown; did you mean hallucination"),
        (["--precision", "float32"], "float64 only"),
        (["--out", "/proc/none"], "cannot write to /proc/none"),
        (["--json", "/none/x.json"], "not a file in an existing folder"),
    ],
)
def test_bad_input_is_one_line(options, said, capsys):
    assert main(["gallery", *options]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_rerun_repeats_rows_and_data(known_data, tmp_path, capsys):
    target = tmp_path / "found.json"
    main(
        [
            "gallery",
            "hallucination",
            "--quick",
            "--out",
            str(tmp_path),
            "--json",
            str(target),
        ]
    )
    for file in (target, tmp_path / "data" / "hallucination.npz"):
        assert main(["rerun", str(file)]) == 0, capsys.readouterr()


@pytest.mark.parametrize("field, other", [("paper", "no-such-paper"), ("claim", "x")])
def test_rerun_refuses_what_this_version_does_not_have(field, other, tmp_path, capsys):
    row = {"paper": "rast", "claim": "recovery", "verdict": "reproduced"}
    row |= {field: other}
    config = {"command": "gallery", "paper": row["paper"], "quick": True, "seed": 0}
    file = tmp_path / "old.json"
    file.write_text(json.dumps([row | {"stamp": stamp(config, 0)}]))
    assert main(["rerun", str(file)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and repr(other) in error
