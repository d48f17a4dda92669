"""Search for the problem that breaks a claim, or fits it worst: `pattern-selection
falsify`."""
