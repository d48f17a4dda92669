"""The flow with a KL penalty, from the base policy to rest: seconds, and how many rest.

Random problems (K = 8, s ~ U[0,1], base policy from Dirichlet(1), beta from 10^-2 to 1,
uniform in its logarithm). Ours by implicit steps, and what a user would write today:
plain `vmap` of Diffrax's implicit Kvaerno5 in physical time (rtol = atol = 1e-8), up to
the time at which ours is at rest. Accuracy: the largest error of a probability against
the closed form of the optimum.
"""

import argparse
import json
import platform
from functools import partial

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from peers import warm

import simulator as sim
import theory

jax.config.update("jax_enable_x64", True)
PATTERNS, REPEATS = 8, 3


def peer(max_steps):
    """A compiled `vmap` of Kvaerno5: final policies, and whether they were reached."""

    def field(t, theta, args):
        rates, log_reference, beta = args
        log_pi = jax.nn.log_softmax(theta)
        pay = rates - beta * (log_pi - log_reference)
        pi = jnp.exp(log_pi)
        return pi * (pay - pi @ pay)

    def one(rates, log_reference, beta, end):
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(field),
            diffrax.Kvaerno5(),
            0.0,
            end,
            1e-2,
            log_reference,
            args=(rates, log_reference, beta),
            throw=False,
            max_steps=max_steps,
            stepsize_controller=diffrax.PIDController(rtol=1e-8, atol=1e-8),
        )
        done = solution.result == diffrax.RESULTS.successful
        return jax.nn.softmax(solution.ys[0]), done

    return jax.jit(jax.vmap(one))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--problems", type=int, default=256)
    parser.add_argument("--max-steps", type=int, default=4096, help="of the peer")
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    rates = rng.uniform(size=(args.problems, PATTERNS))
    base = rng.dirichlet(np.ones(PATTERNS), size=args.problems)
    betas = 10.0 ** rng.uniform(-2, 0, size=args.problems)
    optimum = np.exp(theory.optimum.optimal_policy(rates, np.log(base), betas))
    problem = sim.Problem(rates, base)
    update = sim.PolicyGradient(beta=betas)

    solve = partial(sim.solve, problem, sim.Verifiable(), update)
    ours, _, seconds = warm(solve, REPEATS)
    settled = ours.outcome_names == "settled"
    error = np.abs(np.exp(ours.log_probs) - optimum).max(axis=1)
    rows = {
        "simulator": {
            "seconds": seconds,
            "at_rest": int(settled.sum()),
            "worst_error": float(error[settled].max()),
            "worst_error_of_log": float(
                np.abs(ours.log_probs - np.log(optimum))[settled].max()
            ),
            "mean_steps": float(ours.num_steps.mean()),
            "most_steps": int(ours.num_steps.max()),
            "latest_log10_time": float(ours.log_time.max() / np.log(10)),
        }
    }
    run = peer(args.max_steps)
    given = rates, np.log(base), betas, np.exp(ours.log_time)
    (policy, done), _, seconds = warm(lambda: run(*given), REPEATS)
    done = np.asarray(done)
    error = np.abs(np.asarray(policy) - optimum).max(axis=1)
    rows["diffrax Kvaerno5"] = {
        "seconds": seconds,
        "at_rest": int(done.sum()),
        "worst_error": float(error[done].max()) if done.any() else None,
        "ours_is_faster_by": seconds / rows["simulator"]["seconds"],
    }
    machine = {"machine": platform.machine(), "problems": args.problems}
    print(json.dumps(machine | rows, indent=2))


if __name__ == "__main__":
    main()
