"""The revision in a stamp is that of the package, whatever repository is around it."""

import shutil
import subprocess

import pytest

from experiments.runtime import stamp

PLACE = "experiments/runtime"
ME = ["-c", "user.name=n", "-c", "user.email=e", "-c", "commit.gpgsign=false"]


def git(folder, *words) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *ME, *words], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with a copy of the package's file in it, all of it committed."""
    for name in [name for name in stamp.os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "own"
    (folder / PLACE).mkdir(parents=True)
    shutil.copy(stamp.__file__, folder / PLACE)
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "all")
    return folder


def stamped(monkeypatch, folder):
    monkeypatch.setattr(stamp, "FILE", folder / PLACE / "stamp.py")
    found = stamp.stamp({}, 0)
    return found["revision"], found["dirty"]


def test_the_revision_is_that_of_the_own_repository(repository, monkeypatch):
    head = git(repository, "rev-parse", "HEAD")
    assert stamped(monkeypatch, repository) == (head, False)
    (repository / PLACE / "stamp.py").write_text("changed")
    assert stamped(monkeypatch, repository) == (head, True)


def test_git_variables_do_not_lead_elsewhere(repository, tmp_path, monkeypatch):
    head = git(repository, "rev-parse", "HEAD")
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    git(other, "commit", "-q", "--allow-empty", "-m", "another project")
    for name, value in (("GIT_DIR", other / ".git"), ("GIT_WORK_TREE", other)):
        monkeypatch.setenv(name, str(value))
    assert stamped(monkeypatch, repository) == (head, False)


@pytest.mark.parametrize("place", [".venv/site-packages", "."])
def test_a_project_around_an_installed_package_is_not_its_own(
    repository, place, tmp_path, monkeypatch
):
    around = tmp_path / "around"
    folder = around / place / PLACE
    folder.mkdir(parents=True)
    shutil.copy(stamp.__file__, folder)
    (around / ".gitignore").write_text("experiments\n")
    git(around, "init", "-q")
    git(around, "add", ".gitignore")
    git(around, "commit", "-q", "-m", "another project")
    assert stamped(monkeypatch, around / place) == (None, None)
