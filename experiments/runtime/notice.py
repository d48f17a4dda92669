"""Lines on stderr about compiling, which may take longer than what is compiled."""

import sys
import threading

from experiments.runtime import progress

PATIENCE = 1.0  # duration_secs before a program that is being compiled is spoken of
# JAX records these when it hands a program to XLA, and when XLA is done.
BEGIN = "/jax/core/compile/jaxpr_to_mlir_module_duration"
END = "/jax/core/compile/backend_compile_duration"

_watch: "_Watch | None" = None


class _Watch:
    """Says once that something is compiled; with `verbose` how long each took."""

    def __init__(self) -> None:
        self.verbose = self.told = False
        self.total = 0.0
        self.timer = threading.Timer(0, lambda: None)

    def hear(self, event: str, duration_secs: float, **_: object) -> None:
        if event == BEGIN:
            self.timer = threading.Timer(PATIENCE, self.tell)
            self.timer.daemon = True
            self.timer.start()
        elif event == END:
            self.timer.cancel()
            self.total += duration_secs
            if self.verbose and duration_secs >= PATIENCE:
                progress.say(
                    f"compiled a program in {duration_secs:.1f} s "
                    f"({self.total:.1f} s in all)"
                )

    def tell(self) -> None:
        if not self.told:
            self.told = True
            progress.say("compiling ...")


def of_compiling(verbose: bool) -> None:
    """Speak of compiling during this command, to people or if it is `verbose`."""
    global _watch
    import jax

    if _watch is None:
        _watch = _Watch()
        jax.monitoring.register_event_duration_secs_listener(_watch.hear)
    _watch.verbose = verbose
    _watch.told = progress.is_quiet() or not (verbose or sys.stderr.isatty())
