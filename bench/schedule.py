"""The learning rate as a function of the step, as in trainer/src/schedule.rs."""

import math

from torch_network import named


def rates(settings, steps_per_epoch):
    """The learning rate of every step of a training."""
    peak = settings["learning_rate"]
    # Halves go up, as in Rust; Python's `round` takes the even neighbour.
    warm_up = math.floor(settings["warmup_epochs"] * steps_per_epoch + 0.5)
    total = settings["epochs"] * steps_per_epoch
    schedule, details = named(settings["schedule"])

    def rate(step):
        if step < warm_up:
            return peak * (step + 1) / warm_up
        if schedule == "cosine":
            progress = (step - warm_up) / max(total - warm_up, 1)
            return peak * 0.5 * (1 + math.cos(math.pi * progress))
        if schedule == "step":
            return peak * details["factor"] ** (step // (details["every"] * steps_per_epoch))
        return peak

    return [rate(step) for step in range(total)]
