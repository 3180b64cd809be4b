"""What the benchmarks share of PyTorch: networks of models/zoo, optimizers, images."""

from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from torch import nn

OPTIMIZERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def named(description):
    """The name and the settings of `relu`, `{linear: 10}` or `{conv2d: {…}}`."""
    return (description, {}) if isinstance(description, str) else next(iter(description.items()))


class Residual(nn.Module):
    """body(x) + shortcut(x); an empty shortcut is x itself."""

    def __init__(self, body, shortcut):
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x):
        return self.body(x) + self.shortcut(x)


def convolution(settings, channels, size):
    """The module, and the size behind it."""
    kernel, padding = settings["kernel"], settings.get("padding", 0)
    stride, bias = settings.get("stride", 1), settings.get("bias", True)
    module = nn.Conv2d(channels, settings["channels"], kernel, stride, padding, bias=bias)
    if padding != "same":
        size = (size + 2 * padding - kernel) // stride + 1
    return module, size


def layer(description, names, channels, size):
    """The module of a layer of models/zoo, its name there, and the shape behind it."""
    kind, settings = named(description)
    if kind == "conv2d" and settings.keys() <= {"channels", "kernel", "padding", "stride", "bias"}:
        module, size = convolution(settings, channels, size)
        channels, prefix = settings["channels"], "conv"
    elif kind == "batch_norm" and not settings:
        module, prefix = nn.BatchNorm2d(channels), "bn"
    elif kind == "residual":
        shortcut, *_ = sequential(settings.get("shortcut", []), channels, size)
        body, channels, size = sequential(settings["body"], channels, size)
        module, prefix = Residual(body, shortcut), "res"
    elif kind == "linear" and isinstance(settings, int):
        module, channels, size = nn.Linear(channels * size * size, settings), settings, 1
        prefix = "fc"
    elif kind == "max_pool" and isinstance(settings, int):
        module, size, prefix = nn.MaxPool2d(settings), size // settings, "pool"
    elif kind == "global_avg_pool":
        module, size = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), 1
        prefix = "global_pool"
    elif kind == "dropout" and isinstance(settings, float):
        module, prefix = nn.Dropout(settings), "dropout"
    elif kind == "relu":
        module, prefix = nn.ReLU(), "relu"
    elif kind == "flatten":
        module, prefix = nn.Flatten(), "flatten"
    else:
        raise ValueError(f"layer {description} is not part of the benchmark")
    names[prefix] = names.get(prefix, 0) + 1
    return f"{prefix}{names[prefix]}", module, channels, size


def sequential(layers, channels, size):
    """The layers as one module, and the shape behind it."""
    modules, names = OrderedDict(), {}
    for description in layers:
        name, module, channels, size = layer(description, names, channels, size)
        modules[name] = module
    return nn.Sequential(modules), channels, size


def network(layers):
    """For images of 1×28×28."""
    module, *_ = sequential(layers, 1, 28)
    return module


def optimizer(network, description, rate):
    """Without weight decay unless it is asked for, whatever PyTorch's default is."""
    rule, settings = named(description)
    settings = {"weight_decay": 0} | (settings or {})
    return OPTIMIZERS[rule](network.parameters(), lr=rate, fused=True, **settings)


def idx(path, header):
    return torch.from_numpy(np.fromfile(path, np.uint8)[header:])


def split(folder, part):
    """Images, bytes of [n, 1, 28, 28], and labels, bytes of [n]; `part` is `train` or `t10k`."""
    folder = Path(folder)
    return (
        idx(folder / f"{part}-images-idx3-ubyte", 16).reshape(-1, 1, 28, 28),
        idx(folder / f"{part}-labels-idx1-ubyte", 8),
    )
