"""Trains the built-in networks with Burnish and with PyTorch, in turn, and compares them.

    bench/run [NETWORK...] [--rounds N] [--steps N] [--epochs N] [--no-scaling] [--no-compile]
              [--flex] [--output FOLDER]

Every implementation is a process of its own that trains some steps when told to; one round tells
each of them once. All begin with the same weights and see the same batches, and their losses
are compared. Writes results.json, results.md and scaling.svg into bench/results/, or where
--output says.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

import report
from scaling import measure_scaling

BENCH = Path(__file__).parent
ROOT = BENCH.parent
PROGRAM = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "bench"
CORES = len(os.sched_getaffinity(0))

# As the tutorials train them (recipes/).
OPTIMIZERS = {
    "cnn-32-64": ({"sgd": {}}, 0.01),
    "cnn-10-20": ({"sgd": {"momentum": 0.5}}, 0.01),
    "lenet5": ({"adam": {}}, 0.001),
    "cnn-16-32-32-64": ({"adam": {}}, 0.001),
    "cnn-8-16-32-64-64": ({"adam": {}}, 0.001),
    "resnet-cifar": ({"sgd": {"momentum": 0.9}}, 0.001),
}
# Those that are measured unless others are named: `resnet-cifar` alone takes as long.
TUTORIALS = [name for name in OPTIMIZERS if name != "resnet-cifar"]
# What most tutorials take; and that of cnn-32-64's own.
BATCH = 64
BATCHES = {"cnn-32-64": [64, 32]}
# Seconds that a process trains before it is measured: threads that have slept come back slowly to
# cores of their own.
WARM_UP = 0.5
# Losses of the first steps, before rounding has had time to grow.
COMPARED_STEPS = 5
LARGEST_DIFFERENCE = 1e-3


class Worker:
    """A process that trains; `name` is what the tables call it."""

    def __init__(self, name, job, threads):
        self.name, self.threads = name, threads
        job = json.dumps(job)
        command = {
            "burnish": [PROGRAM, "train", job],
            "flex": [PROGRAM, "train", job],
            "eager": [sys.executable, BENCH / "torch_step.py", job, "eager"],
            "compile": [sys.executable, BENCH / "torch_step.py", job, "compile"],
        }[name]
        environment = os.environ | {
            "OMP_NUM_THREADS": str(threads),
            "RAYON_NUM_THREADS": str(threads),
            "BURNISH_FUSED": "0" if name == "flex" else "1",
        }
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def ask(self, command):
        try:
            print(json.dumps(command), file=self.process.stdin, flush=True)
        except BrokenPipeError:
            pass
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} on {self.threads} threads ended")
        return json.loads(line)

    def warm_up(self):
        started = time.monotonic()
        while time.monotonic() - started < WARM_UP:
            self.ask({"steps": 5})

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def products(layers, shape):
    """Products of a weight with a value, layer by layer, for one image, and the shape behind
    them; products with padding are left out."""
    counts = []
    for layer in layers:
        kind, settings = (layer, None) if isinstance(layer, str) else next(iter(layer.items()))
        channels, size = shape
        if kind == "conv2d":
            kernel, padding = settings["kernel"], settings.get("padding", 0)
            stride = settings.get("stride", 1)
            out = (size + 2 * padding - kernel) // stride + 1
            inside = sum(
                0 <= place * stride + tap - padding < size
                for place in range(out)
                for tap in range(kernel)
            )
            counts.append(inside**2 * channels * settings["channels"])
            shape = settings["channels"], out
        elif kind == "residual":
            shortcut, _ = products(settings.get("shortcut", []), shape)
            body, shape = products(settings["body"], shape)
            counts += body + shortcut
        elif kind == "max_pool":
            shape = channels, size // settings
        elif kind == "global_avg_pool":
            shape = channels, 1
        elif kind == "linear":
            counts.append(channels * size * size * settings)
            shape = settings, 1
    return counts, shape


def gflop(layers, batch):
    """Arithmetic of a step: a product and a sum for each weight and place, forward, for the
    weights' gradient and, from the second layer on, for the input's."""
    counts, _ = products(layers, (1, 28))
    return 2 * (3 * sum(counts) - counts[0]) * batch / 1e9


def job(layers, batch, optimizer, rate):
    return {
        "network": json.dumps({"layers": layers}),
        "data": str(ROOT / "data/mnist"),
        "batch": batch,
        "optimizer": optimizer,
        "rate": rate,
    }


def start(name, description, threads, weights):
    """A worker with the initial weights, or None where it cannot run."""
    worker = Worker(name, description, threads)
    try:
        worker.ask({"weights": str(weights)})
        worker.losses = worker.ask({"steps": COMPARED_STEPS})["losses"]
    except RuntimeError:
        if name != "compile":
            raise
        return None
    return worker


def check_losses(workers):
    expected = workers[0].losses
    for worker in workers[1:]:
        difference = max(abs(a - b) for a, b in zip(expected, worker.losses))
        if difference > LARGEST_DIFFERENCE:
            raise SystemExit(
                f"{worker.name} on {worker.threads} threads computes something else: "
                f"losses differ by {difference}"
            )


def measure(name, batch, arguments):
    layers = yaml.safe_load((ROOT / "models/zoo" / f"{name}.yaml").read_text())["layers"]
    optimizer, rate = OPTIMIZERS[name]
    description = job(layers, batch, optimizer, rate)
    kinds = ["burnish", "eager"] + ["compile"] * arguments.compile + ["flex"] * arguments.flex
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "weights.safetensors"
        subprocess.run([PROGRAM, "weights", json.dumps(description), weights], check=True)
        started = [
            start(kind, description, threads, weights)
            for threads in sorted({1, CORES})
            for kind in kinds
        ]
    workers = [worker for worker in started if worker]
    check_losses(workers)

    times = {worker: [] for worker in workers}
    processor = {worker: [] for worker in workers}
    sgemm = {worker.threads: [] for worker in workers}
    for _ in range(arguments.rounds):
        for worker in workers:
            worker.warm_up()
            answer = worker.ask({"steps": arguments.steps})
            times[worker] += answer["milliseconds"]
            processor[worker].append(answer["processor"] / arguments.steps)
            if worker.name == "eager":
                sgemm[worker.threads].append(worker.ask({"sgemm": 1024})["rate"])
    # Before the epoch, so that all have held the same: the images, a network, 32 batches.
    memory = {worker: worker.ask("memory")["bytes"] for worker in workers}
    epochs = {worker: [] for worker in workers}
    for _ in range(arguments.epochs):
        for worker in workers:
            if worker.name in ("burnish", "eager", "compile"):
                epochs[worker].append(worker.ask("epoch"))
    work = gflop(layers, batch)
    rows = []
    for worker in workers:
        worker.end()
        milliseconds = statistics.median(times[worker])
        low, _, high = statistics.quantiles(times[worker], n=4)
        rate = work / milliseconds * 1e3
        rows.append(
            {
                "network": name,
                "batch": batch,
                "implementation": worker.name,
                "threads": worker.threads,
                "milliseconds": milliseconds,
                "quartiles": [low, high],
                "best": min(times[worker]),
                "processor": min(processor[worker]),
                "images_per_second": batch / milliseconds * 1e3,
                "gflops": rate,
                "share_of_sgemm": rate / max(sgemm[worker.threads]),
                "memory": memory[worker],
                "epoch_seconds": [epoch["seconds"] for epoch in epochs[worker]],
                "epoch_accuracy": [epoch["accuracy"] for epoch in epochs[worker]],
                "losses": worker.losses,
            }
        )
    return rows


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("networks", nargs="*", default=TUTORIALS, metavar="NETWORK")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=20, help="of each implementation in a round")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    parser.add_argument("--no-scaling", dest="scaling", action="store_false")
    parser.add_argument("--flex", action="store_true", help="also Burn's own operations")
    parser.add_argument("--output", type=Path, default=BENCH / "results")
    arguments = parser.parse_args()
    for name in arguments.networks:
        if name not in OPTIMIZERS:
            parser.error(f"there is no {name} here; there are {', '.join(OPTIMIZERS)}")
    return arguments


def main():
    arguments = parse()
    arguments.output.mkdir(exist_ok=True)
    rows = []
    for name in arguments.networks:
        for batch in BATCHES.get(name, [BATCH]):
            measured = measure(name, batch, arguments)
            print(report.table(measured), flush=True)
            rows += measured
    results = {"machine": report.machine(), "steps": rows}
    if arguments.scaling:
        results["scaling"] = measure_scaling(Worker, job, arguments.rounds)
        report.plot(results["scaling"], arguments.output / "scaling.svg")
    report.write(results, arguments.output)


if __name__ == "__main__":
    main()
