"""Children that heed Ctrl-C: those of a shell's background jobs ignore it."""

HEEDING = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
"""
