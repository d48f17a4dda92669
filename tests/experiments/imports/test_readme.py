"""The example of the README prints what the README shows."""

import shlex

from experiments import cli
from experiments.imports import versions
from experiments.text import recipes
from tests.test_readmes import ROOT, blocks, shown

README = "experiments/README.md"


def test_the_example_prints_what_is_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (config,) = blocks(README, "yaml")
    (tmp_path / "grpo.yaml").write_text(config)
    first, _, rest = shown(README, "recipe").partition("\n")
    assert cli.main(shlex.split(first)[2:]) == 0
    assert capsys.readouterr().out == rest
    assert recipes.load("grpo.toml").group_size == 8


def test_the_versions_are_those_of_the_tables():
    text = (ROOT / README).read_text(encoding="utf-8")
    for version in (versions.TRL, versions.VERL, versions.OPENRLHF):
        assert f"{version.trainer} {version.number}" in text
    assert f" or {versions.OPENRLHF_FLAT.number} " in text
