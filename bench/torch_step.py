"""PyTorch's side of the benchmark: trains as standard input says.

    torch_step.py JOB eager|compile

JOB and the commands are those of `bench train` (src/main.rs), with one more: `{"sgemm": size}`
measures the rate of a square matrix product, in GFLOP/s. The images are read once and kept as
bytes; an epoch gathers and normalises them batch by batch, which is faster than a DataLoader.
"""

import json
import resource
import struct
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from torch_network import network, optimizer, split

BATCHES = 32


def safetensors(path):
    """The tensors of a file: a header in JSON behind its length, then all values."""
    data = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header, values = json.loads(data[8 : 8 + length]), data[8 + length :]
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        array = np.frombuffer(values[start:end], "<f4").reshape(entry["shape"])
        tensors[name] = torch.from_numpy(array.copy())
    return tensors


class Training:
    def __init__(self, job, compiled):
        self.job, self.compiled = job, compiled
        self.layers = json.loads(job["network"])["layers"]
        self.parts = {part: split(job["data"], part) for part in ["train", "t10k"]}
        torch.manual_seed(1)
        self.start(network(self.layers))
        size = job["batch"]
        self.batches = [
            self.batch("train", torch.arange(i * size, (i + 1) * size)) for i in range(BATCHES)
        ]

    def start(self, plain):
        self.plain, self.next = plain, 0
        self.network = torch.compile(plain) if self.compiled else plain
        self.optimizer = optimizer(plain, self.job["optimizer"], self.job["rate"])

    def batch(self, part, members):
        images, labels = self.parts[part]
        return images[members].float().div_(255), labels[members].long()

    def step(self, images, targets):
        self.optimizer.zero_grad()
        loss = cross_entropy(self.network(images), targets)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def steps(self, count):
        milliseconds, losses = [], []
        for _ in range(count):
            batch = self.batches[self.next % BATCHES]
            started = time.perf_counter()
            losses.append(self.step(*batch).item())
            milliseconds.append((time.perf_counter() - started) * 1e3)
            self.next += 1
        return milliseconds, losses

    def epoch(self):
        self.start(network(self.layers))
        size, loss = self.job["batch"], torch.zeros(())
        started = time.perf_counter()
        for members in torch.randperm(60_000).split(size):
            loss += self.step(*self.batch("train", members))
        correct = 0
        self.network.eval()
        with torch.no_grad():
            for members in torch.arange(10_000).split(size):
                images, targets = self.batch("t10k", members)
                correct += (self.network(images).argmax(1) == targets).sum()
        return time.perf_counter() - started, correct.item() / 10_000


def sgemm(size):
    """GFLOP/s of the best of some square products."""
    a, b = torch.rand(size, size), torch.rand(size, size)
    best = float("inf")
    for _ in range(20):
        started = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best / 1e9


def answer(training, command):
    ((kind, value),) = command.items() if isinstance(command, dict) else [(command, None)]
    if kind == "weights":
        plain = network(training.layers)
        plain.load_state_dict(safetensors(value))
        training.start(plain)
        return {}
    if kind == "steps":
        before = time.process_time()
        milliseconds, losses = training.steps(value)
        processor = (time.process_time() - before) * 1e3
        return {"milliseconds": milliseconds, "losses": losses, "processor": processor}
    if kind == "epoch":
        seconds, accuracy = training.epoch()
        return {"seconds": seconds, "accuracy": accuracy}
    if kind == "memory":
        return {"bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
    if kind == "sgemm":
        return {"rate": sgemm(value)}
    raise ValueError(f"no such command: {kind}")


def main():
    job, mode = sys.argv[1:]
    training = Training(json.loads(job), mode == "compile")
    for line in sys.stdin:
        print(json.dumps(answer(training, json.loads(line))), flush=True)


main()
