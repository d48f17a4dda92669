"""Classes of the simulator by name, as the command line and files write them."""

import dataclasses

import jax
import pytest

import simulator as sim
from experiments.text import catalogue, events, objects
from simulator.recording import AbstractFirst
from simulator.reporting import labels


def test_an_entry_is_the_class_of_its_module():
    assert catalogue.signals()["noisy-verifier"].load() is sim.NoisyVerifier
    for name, kinds in objects.kinds().items():
        for kind in kinds.values():
            assert kind.__module__ == f"simulator.{name.replace('/', '.')}"


def test_every_public_event_is_listed_and_written():
    public = [getattr(sim, name) for name in sim.__all__]
    kinds = [x for x in public if isinstance(x, type)]
    final = {
        kind
        for kind in kinds
        if issubclass(kind, sim.AbstractEvent)
        and not kind.__name__.startswith("Abstract")
    }
    assert {entry.load() for entry in catalogue.events().values()} == final
    for name, entry in catalogue.events().items():
        assert labels.written(name).startswith(f"{entry.class_name}(")


@pytest.mark.parametrize("name", events.entries())
def test_every_event_with_a_name_is_read_as_it_is_written(name):
    kind = events.argument(events.entries()[name])
    number = {None: None, "LEVEL": 0.25, "N": 2, "NAME,LEVEL": 0.25}[kind]
    column = "held-out," if kind == "NAME,LEVEL" else ""
    text = name if number is None else f"{name}={column}{number}"
    event = events.read(text, "until")
    assert events.write(event) == text
    assert isinstance(event, AbstractFirst)
    assert [value.item() for value in jax.tree.leaves(event)] == [number] * bool(kind)


def test_events_with_a_name_are_first_ones_without_other_fields():
    names = set(events.entries())
    assert names >= {"gap", "accuracy", "optimal-probability", "t0", "crossing"}
    assert "leads" in names and not names & {"peak-accuracy", "below-base"}
    with pytest.raises(ValueError, match="PeakAccuracy has no name"):
        events.write(sim.PeakAccuracy())


def test_one_option_has_one_type(monkeypatch):
    known = catalogue.updates()["natural-gradient"]
    other = dataclasses.replace(
        known,
        name="other",
        fields=(catalogue.Field("beta", "", {"type": int, "metavar": "N"}, True),),
    )
    assert "beta" in catalogue.options()
    monkeypatch.setattr(catalogue, "updates", lambda: {"a": known, "b": other})
    with pytest.raises(TypeError, match="`beta` of other is of another type"):
        catalogue.options()


def test_the_text_of_an_option_is_the_docstring_below_the_field():
    texts = {name: field.text for name, (field, _) in catalogue.options().items()}
    assert texts["attempts"] == "The n of pass@n (default 8)"
    assert texts["confidence"] == "The reward of each pattern"
    assert all(texts.values())


def test_a_required_option_is_asked_for_by_its_name():
    entry = catalogue.signals()["fixed-confidence"]
    with pytest.raises(ValueError, match="fixed-confidence needs --confidence"):
        catalogue.table(entry, {"confidence": None, "beta": 1.0})
    table = catalogue.table(entry, {"confidence": [0.1, 0.9], "beta": 1.0})
    assert table == {"name": "fixed-confidence", "confidence": [0.1, 0.9]}
