"""How the time of a step grows with the batch and with the channels."""

import os

BATCHES = [16, 32, 64, 128, 256, 512, 1024]
CHANNELS = [16, 32, 64, 128]
CORES = len(os.sched_getaffinity(0))

# Images that a measurement trains on in all, so that small batches take more steps.
IMAGES = 4096
SGD = ({"sgd": {}}, 0.01)


def two_convolutions():
    """cnn-32-64."""
    return [
        {"conv2d": {"channels": 32, "kernel": 3}},
        "relu",
        {"max_pool": 2},
        {"conv2d": {"channels": 64, "kernel": 3}},
        "relu",
        {"max_pool": 2},
        "flatten",
        {"linear": 64},
        "relu",
        {"linear": 10},
    ]


def equal_convolutions(channels):
    """Four convolutions of as many channels, so that the square of their number counts."""
    convolution = [{"conv2d": {"channels": channels, "kernel": 3, "padding": 1}}, "relu"]
    pool = [{"max_pool": 2}]
    body = (convolution + pool) * 2 + convolution * 2
    return body + ["flatten", {"linear": 10}]


def time_of_step(worker_class, name, description, rounds):
    """The best of all steps: what the machine does besides must not look like growth."""
    worker = worker_class(name, description, CORES)
    steps = max(3, IMAGES // description["batch"])
    times = []
    for _ in range(rounds):
        worker.warm_up()
        times += worker.ask({"steps": steps})["milliseconds"]
    worker.end()
    return min(times)


def measure_scaling(worker_class, job, rounds):
    """Milliseconds of a step: {"batch" or "channels": {implementation: {size: milliseconds}}}."""
    jobs = {
        "batch": {size: job(two_convolutions(), size, *SGD) for size in BATCHES},
        "channels": {size: job(equal_convolutions(size), 64, *SGD) for size in CHANNELS},
    }
    return {
        axis: {
            name: {
                size: time_of_step(worker_class, name, description, rounds)
                for size, description in descriptions.items()
            }
            for name in ["burnish", "eager"]
        }
        for axis, descriptions in jobs.items()
    }
