"""Progress: a line a minute where nobody looks, and one about compiling."""

import sys
import time

import pytest

from experiments import cli
from experiments.runtime import notice, progress


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


@pytest.fixture(autouse=True)
def loud():
    yield
    progress.set_quiet(False)


def test_a_line_a_minute_says_how_far_and_since_when(clock, capsys):
    with progress.bar("sweep", "cell") as update:
        for done in range(1, 8):
            clock[0] += 25
            update(done * 100, 1000)
    assert capsys.readouterr().err.splitlines() == [
        "sweep: 300 of 1,000 cells after 1 min 15 s",
        "sweep: 600 of 1,000 cells after 2 min 30 s",
    ]


def test_quiet_is_quiet(clock, capsys):
    progress.set_quiet(True)
    with progress.bar("sweep", "cell") as update:
        clock[0] += 100
        update(1, 2)
    assert capsys.readouterr().err == ""


@pytest.fixture
def watch(monkeypatch):
    monkeypatch.setattr(notice, "PATIENCE", 0.01)
    return notice._Watch()


@pytest.mark.parametrize("seconds, told", [(0.2, True), (0.0, False)])
def test_long_compiling_is_spoken_of_once(watch, seconds, told, capsys):
    for _ in range(2):
        watch.hear(notice.BEGIN, 0.1)
        time.sleep(seconds)
        watch.hear(notice.END, seconds)
    time.sleep(0.05)
    assert capsys.readouterr().err == ("compiling ...\n" if told else "")


def test_verbose_says_how_long_it_took(watch, capsys):
    watch.verbose = watch.told = True
    watch.hear(notice.BEGIN, 0.1)
    watch.hear(notice.END, 2.0)
    watch.hear(notice.BEGIN, 0.1)
    watch.hear(notice.END, 1.5)
    assert capsys.readouterr().err.splitlines() == [
        "compiled a program in 2.0 s (2.0 s in all)",
        "compiled a program in 1.5 s (3.5 s in all)",
    ]


def test_jax_still_records_what_is_listened_to():
    import jax

    heard = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, seconds, **_: heard.append(event)
    )
    jax.jit(lambda x: x * 3.25 + 1)(1.5)
    begin, end = heard.index(notice.BEGIN), heard.index(notice.END)
    assert begin < end


@pytest.mark.parametrize("terminal", [True, False])
def test_it_is_for_people_or_for_who_asks(terminal, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    notice.of_compiling(verbose=False)
    assert notice._watch.told != terminal
    notice.of_compiling(verbose=True)
    assert not notice._watch.told
    progress.set_quiet(True)
    notice.of_compiling(verbose=False)
    assert notice._watch.told


def test_quiet_and_verbose_exclude_each_other(capsys):
    assert cli.main(["verify", "--list", "-q", "-v"]) == 2
    assert "not allowed with" in capsys.readouterr().err
