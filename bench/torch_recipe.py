"""PyTorch's side of a recipe: trains it once, and prints a line of JSON after each epoch.

    torch_recipe.py JOB

JOB is JSON: the settings of the train stage, with `layers`, `data` and `seed`. The images are
read once and kept as bytes; an epoch gathers and normalises them batch by batch, which is faster
than a DataLoader.
"""

import json
import sys
import time

import torch
from torch.nn.functional import cross_entropy

import torch_network
from schedule import rates


def moments(images):
    """Mean and standard deviation of bytes."""
    counts = torch.bincount(images.flatten(), minlength=256).double()
    values = torch.arange(256).double()
    mean = (counts * values).sum() / counts.sum()
    variance = (counts * (values - mean) ** 2).sum() / counts.sum()
    return mean.item(), variance.sqrt().item()


class Training:
    def __init__(self, job):
        self.job = job
        torch.manual_seed(job["seed"])
        self.train = torch_network.split(job["data"], "train")
        self.test = torch_network.split(job["data"], "t10k")
        self.mean, self.std = (0, 255) if job["normalize"] == "unit" else moments(self.train[0])
        self.network = torch_network.network(job["layers"])
        self.batches = -(-len(self.train[0]) // job["batch_size"])
        self.rates = iter(rates(job, self.batches))
        self.optimizer = torch_network.optimizer(
            self.network, job["optimizer"], job["learning_rate"]
        )

    def batch(self, part, members):
        images, labels = part
        return images[members].float().sub_(self.mean).div_(self.std), labels[members].long()

    def step(self, images, targets):
        (group,) = self.optimizer.param_groups
        group["lr"] = next(self.rates)
        self.optimizer.zero_grad()
        logits = self.network(images)
        cross_entropy(logits, targets, label_smoothing=self.job["label_smoothing"]).backward()
        self.optimizer.step()

    def accuracy(self):
        """On the test images."""
        correct = 0
        self.network.eval()
        with torch.inference_mode():
            for members in torch.arange(len(self.test[0])).split(self.job["batch_size"]):
                images, targets = self.batch(self.test, members)
                correct += (self.network(images).argmax(1) == targets).sum()
        return correct.item() / len(self.test[0])

    def epoch(self):
        started = time.perf_counter()
        self.network.train()
        for members in torch.randperm(len(self.train[0])).split(self.job["batch_size"]):
            self.step(*self.batch(self.train, members))
        accuracy = self.accuracy()
        return {
            "seconds": time.perf_counter() - started,
            "accuracy": accuracy,
            "learning_rate": self.optimizer.param_groups[0]["lr"],
        }


def main():
    job = json.loads(sys.argv[1])
    training = Training(job)
    for _ in range(job["epochs"]):
        print(json.dumps(training.epoch()), flush=True)


main()
