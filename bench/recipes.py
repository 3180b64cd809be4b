"""Trains whole recipes with Burnish and with PyTorch, one after the other, and compares them.

    bench/run --recipes [RECIPE...] [--seeds N]

A recipe is a file of recipes/, by default those made for the shortest time to an accuracy. Both
train it with seeds 1 to N on all cores, on random numbers of their own, and their learning rates
are compared. Times are those of the epochs, each with its validation on the test images. Writes
recipes.json and recipes.md into bench/results/.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

import report
import torch_network
from compare import BENCH, CORES, PROGRAM, ROOT

PIPELINE = PROGRAM.with_name("pipeline")
RECIPES = ["mnist-99", "mnist-99.5"]
# Their images have 28×28 pixels of one channel.
DATASETS = ["mnist", "fashion-mnist"]
# What `pipeline` takes where a recipe says nothing.
DEFAULTS = {
    "normalize": "mean_std",
    "epochs": 10,
    "batch_size": 64,
    "optimizer": "adam",
    "learning_rate": 0.001,
    "schedule": "constant",
    "warmup_epochs": 0,
    "label_smoothing": 0,
    "validation": {"hold_out": 5000},
}
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": str(CORES), "RAYON_NUM_THREADS": str(CORES)}


class Recipe:
    """A recipe that both sides can train: as a pipeline, and as PyTorch's job."""

    def __init__(self, name):
        self.name = name
        file = ROOT / "recipes" / f"{name}.yaml"
        if not file.exists():
            raise SystemExit(f"there is no recipe {name} in recipes/")
        self.stages = yaml.safe_load(file.read_text())["stages"]
        self.stage, train = next(
            (stage, settings["train"])
            for stage, settings in self.stages.items()
            if "train" in settings
        )
        self.job = self.check(DEFAULTS | train)

    def check(self, settings):
        """The settings, with the layers and the folder of the images."""
        dataset = self.stages[settings.pop("dataset")]["dataset"]
        model = settings.pop("model")
        self.require(dataset["name"] in DATASETS, f"dataset {dataset['name']}")
        self.require(isinstance(model, str), "a network that is not built in")
        unknown = settings.keys() - DEFAULTS.keys()
        self.require(not unknown, ", ".join(f"`{setting}`" for setting in sorted(unknown)))
        for setting, known in [("normalize", ["mean_std", "unit"]), ("validation", ["test"])]:
            self.require(settings[setting] in known, f"`{setting}: {settings[setting]}`")
        layers = yaml.safe_load((ROOT / "models/zoo" / f"{model}.yaml").read_text())["layers"]
        try:
            torch_network.network(layers)
        except ValueError as error:
            raise SystemExit(f"recipe {self.name}: {error}")
        data = ROOT / dataset.get("dir", f"data/{dataset['name']}")
        return settings | {"layers": layers, "data": str(data)}

    def require(self, known, thing):
        if not known:
            raise SystemExit(f"recipe {self.name}: {thing} is not part of the benchmark")

    def burnish(self, seed):
        """Its epochs: seconds, accuracy and the learning rate of the last step."""
        with tempfile.TemporaryDirectory() as folder:
            output, file = Path(folder, "output"), Path(folder, "pipeline.yaml")
            file.write_text(yaml.safe_dump({"output": str(output), "stages": self.stages}))
            run([PIPELINE, "run", file, "--stage", self.stage]
                + ["--set", f"{self.stage}.seed={seed}", "--set", f"{self.stage}.device=cpu"])
            results = output / self.stage
            metrics = map(json.loads, (results / "metrics.jsonl").read_text().splitlines())
            timing = json.loads((results / "timing.json").read_text())
        return [
            {
                "seconds": times["seconds"],
                "accuracy": epoch["validation_accuracy"],
                "learning_rate": epoch["learning_rate"],
            }
            for epoch, times in zip(metrics, timing["epochs"], strict=True)
        ]

    def pytorch(self, seed):
        """As `burnish`."""
        job = json.dumps(self.job | {"seed": seed})
        lines = run([sys.executable, BENCH / "torch_recipe.py", job])
        return [json.loads(line) for line in lines.splitlines()]

    def train(self, seed):
        """Both sides, with the same seed."""
        row = {"recipe": self.name, "seed": seed}
        row |= {"burnish": self.burnish(seed), "pytorch": self.pytorch(seed)}
        self.check_rates(row)
        return row

    def check_rates(self, row):
        epochs = zip(row["burnish"], row["pytorch"], strict=True)
        for number, (ours, theirs) in enumerate(epochs, 1):
            rates = ours["learning_rate"], theirs["learning_rate"]
            # Near its end, a cosine's rate is the difference of two numbers close to 1.
            if not math.isclose(*rates, rel_tol=1e-6):
                raise SystemExit(
                    f"recipe {self.name}: PyTorch's schedule is another; after epoch {number} the "
                    f"learning rates are {rates[0]} and {rates[1]}"
                )


def run(command):
    """Standard output of a command that runs in the repository's root."""
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{Path(command[0]).name} failed:\n{done.stderr}")
    return done.stdout


def parse():
    parser = argparse.ArgumentParser(prog="bench/run --recipes", description=__doc__.split("\n")[0])
    parser.add_argument("recipes", nargs="*", default=RECIPES, metavar="RECIPE")
    parser.add_argument("--seeds", type=int, default=3, help="train with 1 to this")
    parser.add_argument("--output", type=Path, default=BENCH / "results")
    return parser.parse_args()


def main():
    arguments = parse()
    recipes = [Recipe(name) for name in arguments.recipes]
    arguments.output.mkdir(exist_ok=True)
    rows = []
    for recipe in recipes:
        for seed in range(1, arguments.seeds + 1):
            rows.append(recipe.train(seed))
            print(report.recipe_line(rows[-1]), file=sys.stderr, flush=True)
    results = {"machine": report.machine(), "trainings": rows}
    report.write_recipes(results, arguments.output)
    print(report.recipes_table(rows))


if __name__ == "__main__":
    main()
