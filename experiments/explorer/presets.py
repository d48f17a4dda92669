"""States worth a look, each with one sentence on what to see."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from experiments.explorer.state import State, fragment


class Preset(NamedTuple):
    """A named state; `paper`: the module of the gallery whose model it is."""

    name: str
    title: str
    about: str
    state: State
    paper: str | None = None


def _state(
    rates: Sequence[float],
    policy: Sequence[float],
    confidences: Sequence[float] | None = None,
    **fields: Any,
) -> State:
    """A state of these probabilities of the base model."""
    logits = tuple(round(math.log(p), 6) for p in policy)
    sure = (0.5,) * len(rates) if confidences is None else tuple(confidences)
    return State(tuple(rates), logits, sure, **fields)


# Of no-free-lunch: what `-mean_a log P / 4` pays five patterns of four answers.
SURE = (0.574409, 0.42034, 0.363071, 0.351677, 0.798012)
RARE = _state((0.9, 0.6, 0.1), (0.05, 0.70, 0.25), (0.5, 0.75, 0.6))

PRESETS = (
    Preset(
        "at-once",
        "Takes off at once",
        "The base model is right more often than every pattern but the best one, so "
        "training only rises.",
        _state((0.9, 0.6, 0.1), (0.6, 0.3, 0.1), (0.9, 0.6, 0.1)),
    ),
    Preset(
        "entanglement",
        "A rival comes first",
        "The best pattern is rare; training feeds its rival until T0 = 42.7, and the "
        "best pattern leads from t = 91.9 on.",
        RARE,
    ),
    Preset(
        "kl-shortens",
        "KL shortens a plateau",
        "With a KL penalty of weight 0.056 the best pattern leads from t = 11,400 on, "
        "without it from 383,000 on: computed for this model; there is no theorem that "
        "KL always does so.",
        _state((0.9, 0.6, 0.3, 0.1), (0.003, 0.6, 0.25, 0.147), run="kl", beta=0.056),
    ),
    Preset(
        "rise-and-fall",
        "Self-rewarded: rises, then falls",
        "Paid its own confidence the model is right 81.6 % of the time at t = 224, and "
        "less often than before training from t = 389 on.",
        _state(
            (0.85, 0.6, 0.4, 0.3, 0.03),
            (0.1, 0.25, 0.3, 0.33, 0.02),
            SURE,
            run="rlif",
            map="mixture",
        ),
    ),
    Preset(
        "many-clocks",
        "One path, many clocks",
        "GRPO passes through the policies of the policy gradient, and the best pattern "
        "leads from t = 48.6 on instead of 91.9.",
        RARE.changed(clock="grpo-8"),
    ),
    Preset(
        "eight",
        "Eight patterns in a row",
        "The better a pattern, the rarer it is: the lead passes through all eight.",
        _state(
            (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
            [3.0**-k for k in range(8)],
            map="bad-mass",
        ),
    ),
    Preset(
        "sft-first",
        "SFT first",
        "Demonstrations of the best pattern, a dose of 2, bring T0 from 42.7 down to "
        "the start.",
        RARE.changed(dose=2.0, map="dose"),
    ),
    Preset(
        "lying-verifier",
        "A verifier that lies",
        "Errors of 0.6 and 0.7 add up to more than 1: training goes to the worst "
        "pattern, and accuracy ends at 0.103.",
        RARE.changed(errors=(0.6, 0.7), map="noise"),
    ),
    Preset(
        "hallucination",
        "Fluent guesses (The Hallucination Dilemma)",
        "As in the gallery's model: pattern 1, fluent guesses, leads from t = 2.97 on, "
        "pattern 0, careful answers, from t = 1,110 on only.",
        _state((0.9, 0.7, 0.3, 0.35), (0.03, 0.27, 0.4, 0.3)),
        "hallucination",
    ),
    Preset(
        "no-free-lunch",
        "Sure and wrong (No Free Lunch)",
        "As in the gallery's model of five patterns, paid a quarter of self-certainty "
        "along with success: pattern 0, the best, wins up to weight 0.786.",
        _state(
            (0.85, 0.6, 0.4, 0.3, 0.03),
            (0.1, 0.25, 0.3, 0.33, 0.02),
            SURE,
            run="mixture",
            weight=0.7,
            map="mixture",
        ),
        "no_free_lunch",
    ),
    Preset(
        "echo-chamber",
        "One format wins (Echo Chamber)",
        "As in the gallery's model at scale 0.6: pattern 0, code, leads until t = "
        "35.5, then pattern 2, text, which is right more often.",
        _state((0.511974, 0.386167, 0.604307), (0.55, 0.25, 0.20)),
        "echo_chamber",
    ),
    Preset(
        "vlaa-thinking",
        "After imitation (SFT or RL?)",
        "The base model shown is the gallery's after SFT on imitated traces: GRPO with "
        "groups of 4 takes off at T0 = 50.3, without that SFT at 14.1.",
        _state(
            (0.55, 0.36, 0.0, 0.10),
            (0.04869198, 0.81547541, 0.08051228, 0.05532033),
            clock="grpo-4",
        ),
        "vlaa_thinking",
    ),
    Preset(
        "seed-bench-r1",
        "A shortcut in between (SEED-Bench-R1)",
        "As in the gallery's model: pattern 1, the shortcut, leads from t = 23.7 to "
        "25,600, then pattern 2, coherent chains.",
        _state((0.37, 0.53, 0.59, 0.25), (0.62, 0.18, 0.02, 0.18)),
        "seed_bench_r1",
    ),
    Preset(
        "openvlthinker",
        "RL alone (OpenVLThinker)",
        "As in the gallery's model: without SFT pattern 1, reflection, leads from "
        "t = 196,000,000 on only.",
        _state((0.69, 0.80, 0.40, 0.45, 0.74), (0.93, 5e-4, 5e-4, 0.03, 0.039)),
        "openvlthinker",
    ),
    Preset(
        "behavior-injection",
        "A little of a good behaviour (Behavior Injection)",
        "As in the gallery's model with a tenth of behaviour data: pattern 0, the good "
        "one, leads from t = 81.8 on, without them practically never.",
        _state(
            (0.85, 0.45, 0.2, 0.15, 0.1, 0.05),
            (0.050009, 0.49499505, 0.14499865, 0.15499865, 0.0999991, 0.05499955),
        ),
        "behavior_injection",
    ),
    Preset(
        "base-paper-v1",
        "Fast and slow (the base paper)",
        "As in the gallery's model with the best pattern at 0.5 %: it takes off at "
        "T0 = 1,260, sooner after SFT on good data.",
        _state((0.9, 0.5, 0.2), (0.005, 0.733315, 0.261685), map="dose"),
        "base_paper_v1",
    ),
    Preset(
        "latent-variable",
        "The bonus that does not help (Latent Variables)",
        "As in the gallery's model with the best pattern at 1 %: the wait grows as a "
        "power of its rarity, and T0 is 330 here.",
        _state((0.9, 0.5, 0.2), (0.01, 0.7326, 0.2574)),
        "latent_variable",
    ),
)


def listed() -> list[dict[str, Any]]:
    """What the page lists: `name`, `title`, `about`, `fragment`, and maybe `paper`."""
    return [
        {
            "name": preset.name,
            "title": preset.title,
            "about": preset.about,
            "fragment": fragment(preset.state),
        }
        | ({} if preset.paper is None else {"paper": preset.paper})
        for preset in PRESETS
    ]
