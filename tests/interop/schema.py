"""Checks files of pipelines by their JSON Schema.

    python tests/interop/schema.py SCHEMA.json PIPELINE.yaml [...]

Every file is valid; so are the forms of STAGES and LAYERS that the recipes do
not use, and none of the misspelt ones is.
"""

import json
import sys
from pathlib import Path

import yaml
from jsonschema import Draft7Validator

VALID_LAYERS = [
    "relu",
    "batch_norm",
    "leaky_relu",
    "leaky_relu: { slope: 0.2 }",
    "batch_norm: { name: norm }",
    "max_pool: 2",
    "avg_pool: { kernel: [2, 3], stride: 1, padding: 1 }",
    "dropout: 0.5",
    "linear: 10",
    "linear: { name: head, features: 10, bias: false }",
    "conv2d: { channels: 8, kernel: [3, 5], stride: 2, padding: same, bias: false }",
    "conv2d: { channels: 8, kernel: 3, padding: [1, 2] }",
    "residual: { body: [relu], shortcut: [gelu] }",
]
INVALID_LAYERS = [
    "rleu",
    "maxpool: 2",
    "linear",
    "linear: { feature: 10 }",
    "conv2d: { channels: 8 }",
    "conv2d: { channels: 8, kernel: [3] }",
    "conv2d: { channels: 8, kernel: 3, padding: some }",
    "residual: { body: [rleu] }",
    "{ relu: null, linear: 10 }",
]
VALID_SETTINGS = [
    "optimizer: adam",
    "optimizer: { adamw: { weight_decay: 0.1 } }",
    "optimizer: { sgd: {} }",
    "schedule: { step: { every: 1, factor: 0.5 } }",
    "validation: test",
    "early_stopping: { patience: 3 }",
    "checkpoint: { steps: 5 }",
    "init: weights.pth",
    "model: { file: net.yaml }",
]
INVALID_SETTINGS = [
    "epoch: 3",
    "epochs: many",
    "epochs: -1",
    "optimizer: adamm",
    "optimizer: { adam: { momentum: 0.9 } }",
    "schedule: step",
    "validation: { holdout: 5 }",
    "model: lenet",
    "device: gpu",
]


def layer(text: str) -> dict:
    """A pipeline with one layer."""
    return train(f"model: {{ layers: [{text}] }}")


def train(setting: str) -> dict:
    """A pipeline with one setting of a training."""
    stage = {"dataset": "mnist", "model": "lenet5", **yaml.safe_load(setting)}
    return {"output": "runs", "stages": {"fit": {"train": stage}}}


def main() -> None:
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    schema = json.loads(Path(sys.argv[1]).read_text())
    Draft7Validator.check_schema(schema)
    validator = Draft7Validator(schema)

    valid = {path: yaml.safe_load(Path(path).read_text()) for path in sys.argv[2:]}
    valid |= {text: layer(text) for text in VALID_LAYERS}
    valid |= {text: train(text) for text in VALID_SETTINGS}
    valid["matrix"] = {**train("epochs: 1"), "matrix": {"fit.seed": [1, 2]}}
    for name, document in valid.items():
        for error in validator.iter_errors(document):
            raise SystemExit(f"{name}: {error.json_path}: {error.message}")

    invalid = {text: layer(text) for text in INVALID_LAYERS}
    invalid |= {text: train(text) for text in INVALID_SETTINGS}
    invalid["a stage of no kind"] = {"output": "runs", "stages": {"fit": {"trian": {}}}}
    invalid["no output"] = {"stages": {}}
    for name, document in invalid.items():
        if validator.is_valid(document):
            raise SystemExit(f"the schema accepts `{name}`")
    print(f"{len(valid)} valid, {len(invalid)} misspelt: as they should be")


if __name__ == "__main__":
    main()
