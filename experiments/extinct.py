"""When a pattern counts as lost for good in sampled training."""

SEEN_AGAIN = 0.01


def lost(probability, group_size: int, num_steps: int):
    """Whether a pattern of this probability is as good as gone.

    If training went on for `num_steps` again without moving, it would be sampled less
    than once in a hundred runs.
    """
    return probability * group_size * num_steps < SEEN_AGAIN
