"""One clear line for a user's mistake: what was given, what is allowed, what to do."""


class UserError(Exception):
    """A mistake in the input; the command line prints it and exits with code 2."""
