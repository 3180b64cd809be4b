"""Weights between PyTorch and Burnish, both ways.

    python tests/interop/torch_weights.py PIPELINE

For every built-in network: weights that PyTorch saved, as `.pth`, as the older
`.pth` and as `.safetensors`, under the names that tutorials give layers, become
an ONNX that gives PyTorch's logits in onnxruntime; and the weights of a network
that Burnish trained are taken by `load_state_dict(strict=True)` as they are and
give the logits of its ONNX. Both on real test images, within 1e-5.
"""

import gzip
import subprocess
import sys
import tempfile
from collections import Counter, OrderedDict
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import BatchNorm2d, Conv2d, Dropout, Flatten, Linear, MaxPool2d, ReLU

FIXTURE = Path(__file__).parent.parent.parent / "dataset/fixtures/mnist"
TOLERANCE = 1e-5

# Networks: as Burnish names their layers, and as tutorials do.


class Residual(nn.Module):
    def __init__(self, body, shortcut):
        super().__init__()
        self.body = named(body)
        self.shortcut = named(shortcut)

    def forward(self, x):
        return self.body(x) + self.shortcut(x)


class GlobalAvgPool(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


STEMS = {
    Conv2d: "conv",
    BatchNorm2d: "bn",
    ReLU: "relu",
    MaxPool2d: "pool",
    Dropout: "dropout",
    Flatten: "flatten",
    Linear: "fc",
    Residual: "res",
    GlobalAvgPool: "global_pool",
}


def named(layers) -> nn.Sequential:
    """The layers under the names that Burnish gives them: counted by kind."""
    counts = Counter()
    names = OrderedDict()
    for layer in layers:
        stem = STEMS[type(layer)]
        counts[stem] += 1
        names[f"{stem}{counts[stem]}"] = layer
    return nn.Sequential(names)


def cnn_10_20():
    return [
        Conv2d(1, 10, 5), ReLU(), MaxPool2d(2), Conv2d(10, 20, 5), ReLU(), MaxPool2d(2),
        Flatten(), Linear(320, 50), Linear(50, 10),
    ]  # fmt: skip


def cnn_32_64():
    return [
        Conv2d(1, 32, 3), ReLU(), MaxPool2d(2), Conv2d(32, 64, 3), ReLU(), MaxPool2d(2),
        Flatten(), Linear(1600, 64), ReLU(), Linear(64, 10),
    ]  # fmt: skip


def cnn_16_32_32_64():
    return [
        Conv2d(1, 16, 5, padding=2), ReLU(), MaxPool2d(2),
        Conv2d(16, 32, 5, padding=2), ReLU(), Conv2d(32, 32, 5, padding=2), ReLU(), MaxPool2d(2),
        Conv2d(32, 64, 5, padding=2), ReLU(), Flatten(), Linear(3136, 10),
    ]  # fmt: skip


def cnn_8_16_32_64_64():
    return [
        Conv2d(1, 8, 5, padding=2), ReLU(), MaxPool2d(2),
        Conv2d(8, 16, 5, padding=2), ReLU(), Conv2d(16, 32, 5, padding=2), ReLU(), MaxPool2d(2),
        Conv2d(32, 64, 5, padding=2), ReLU(), Conv2d(64, 64, 5, padding=2), ReLU(),
        Flatten(), Linear(3136, 10),
    ]  # fmt: skip


def cnn_32_64_128():
    return [
        Conv2d(1, 32, 5, padding=2), ReLU(), MaxPool2d(2),
        Conv2d(32, 64, 5, padding=2), ReLU(), MaxPool2d(2),
        Conv2d(64, 128, 3, padding=1), ReLU(), MaxPool2d(2), Dropout(0.3),
        Flatten(), Linear(1152, 128), ReLU(), Dropout(0.3), Linear(128, 10),
    ]  # fmt: skip


def lenet5():
    return [
        Conv2d(1, 6, 5), ReLU(), MaxPool2d(2), Conv2d(6, 16, 5), ReLU(), MaxPool2d(2),
        Flatten(), Linear(256, 120), ReLU(), Linear(120, 84), ReLU(), Linear(84, 10),
    ]  # fmt: skip


def conv3(channels, out, stride=1):
    return Conv2d(channels, out, 3, stride, padding=1, bias=False)


def projection(channels, out, stride):
    if stride == 1:
        return []
    return [Conv2d(channels, out, 1, stride, bias=False), BatchNorm2d(out)]


# Channels in and out, and the stride, of ResNet-20's blocks.
BLOCKS = [(16, 16, 1)] * 3 + [(16, 32, 2)] + [(32, 32, 1)] * 2 + [(32, 64, 2)] + [(64, 64, 1)] * 2


def resnet_cifar():
    layers = [conv3(1, 16), BatchNorm2d(16), ReLU()]
    for channels, out, stride in BLOCKS:
        body = [
            conv3(channels, out, stride), BatchNorm2d(out), ReLU(), conv3(out, out), BatchNorm2d(out)
        ]  # fmt: skip
        layers += [Residual(body, projection(channels, out, stride)), ReLU()]
    return layers + [GlobalAvgPool(), Linear(64, 10)]


class BasicBlock(nn.Module):
    """As torchvision has it."""

    def __init__(self, channels, out, stride):
        super().__init__()
        self.conv1 = conv3(channels, out, stride)
        self.bn1 = BatchNorm2d(out)
        self.conv2 = conv3(out, out)
        self.bn2 = BatchNorm2d(out)
        self.downsample = nn.Sequential(*projection(channels, out, stride))

    def forward(self, x):
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (y + self.downsample(x)).relu()


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = conv3(1, 16)
        self.bn1 = BatchNorm2d(16)
        blocks = [BasicBlock(*block) for block in BLOCKS]
        self.layer1, self.layer2, self.layer3 = (
            nn.Sequential(*blocks[start : start + 3]) for start in (0, 3, 6)
        )
        self.fc = Linear(64, 10)

    def forward(self, x):
        x = self.bn1(self.conv1(x)).relu()
        return self.fc(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))


def features_and_classifier(layers) -> nn.Sequential:
    """In the file, `features` comes first; by the alphabet, it does not."""
    split = next(index for index, layer in enumerate(layers) if isinstance(layer, Flatten))
    parts = {"features": layers[:split], "classifier": layers[split:]}
    return nn.Sequential(OrderedDict((name, nn.Sequential(*part)) for name, part in parts.items()))


def under(name, network) -> nn.Sequential:
    """As an attribute, or as DataParallel's `module`."""
    return nn.Sequential(OrderedDict([(name, network)]))


# Layers, and the network as a tutorial has it.
NETWORKS = {
    "cnn-10-20": (cnn_10_20, lambda: named(cnn_10_20())),
    "cnn-32-64": (cnn_32_64, lambda: nn.Sequential(*cnn_32_64())),
    "cnn-16-32-32-64": (cnn_16_32_32_64, lambda: under("net", nn.Sequential(*cnn_16_32_32_64()))),
    "cnn-8-16-32-64-64": (cnn_8_16_32_64_64, lambda: features_and_classifier(cnn_8_16_32_64_64())),
    "cnn-32-64-128": (cnn_32_64_128, lambda: nn.Sequential(*cnn_32_64_128())),
    "lenet5": (lenet5, lambda: under("module", named(lenet5()))),
    "resnet-cifar": (resnet_cifar, ResNet),
}

SAVE = {
    "new.pth": torch.save,
    "old.pth": lambda state, path: torch.save(state, path, _use_new_zipfile_serialization=False),
    "hf.safetensors": save_file,
}


def read(name: str, header: int) -> np.ndarray:
    """The bytes of one of the fixture's files behind its header."""
    with gzip.open(FIXTURE / name) as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)


def images(part: str = "t10k") -> np.ndarray:
    """The images of a part, in [0, 1]."""
    pixels = read(f"{part}-images-idx3-ubyte.gz", 16)
    return pixels.reshape(-1, 1, 28, 28).astype(np.float32) / 255


def train(network: nn.Module) -> None:
    """A few steps, for logits and running statistics as they are in practice."""
    inputs = torch.from_numpy(images("train")).split(50)
    labels = torch.from_numpy(read("train-labels-idx1-ubyte.gz", 8).astype(np.int64)).split(50)
    optimizer = torch.optim.Adam(network.train().parameters(), 0.001)
    for batch, targets in zip(inputs, labels):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(batch), targets).backward()
        optimizer.step()


def run(pipeline: str, folder: Path, model: str, settings: str) -> None:
    """Trains, or takes weights as they are, and exports to `folder`/runs."""
    (folder / "pipeline.yaml").write_text(
        f"""output: runs
stages:
  digits: {{ dataset: {{ name: digits, dir: {FIXTURE.resolve()}, classes: [a, b, c, d, e, f, g, h, i, j] }} }}
  fit: {{ train: {{ dataset: digits, model: {model}, normalize: unit, device: cpu, {settings} }} }}
  onnx: {{ export: {{ train: fit, weights: last }} }}
"""
    )
    result = subprocess.run([pipeline, "run"], cwd=folder, capture_output=True, text=True)
    if result.returncode:
        raise SystemExit(f"{model}, {settings}:\n{result.stderr}")


def onnx_logits(folder: Path) -> np.ndarray:
    session = onnxruntime.InferenceSession(
        folder / "runs/model.onnx", providers=["CPUExecutionProvider"]
    )
    return session.run(["logits"], {"image": images()})[0]


def torch_logits(network: nn.Module) -> np.ndarray:
    with torch.no_grad():
        return network.eval()(torch.from_numpy(images())).numpy()


def compare(what: str, ours: np.ndarray, theirs: np.ndarray) -> None:
    difference = np.abs(ours - theirs).max()
    if not difference <= TOLERANCE:
        raise SystemExit(f"{what}: logits differ by {difference:.1e}")
    print(f"{what}: logits differ by at most {difference:.1e}, and are up to {np.abs(ours).max():.2f}")


def from_pytorch(pipeline: str, model: str, network: nn.Module) -> None:
    train(network)
    theirs = torch_logits(network)
    for file, save in SAVE.items():
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            save(network.state_dict(), folder / file)
            settings = f"init: {file}, epochs: 0, validation: {{ hold_out: 100 }}"
            run(pipeline, folder, model, settings)
            compare(f"{model} from {file}", onnx_logits(folder), theirs)


def to_pytorch(pipeline: str, model: str, network: nn.Module) -> None:
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        run(pipeline, folder, model, "epochs: 1, validation: { hold_out: 100 }")
        network.load_state_dict(load_file(folder / "runs/fit/last.safetensors"), strict=True)
        compare(f"{model} to PyTorch", onnx_logits(folder), torch_logits(network))


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    pipeline = str(Path(sys.argv[1]).resolve())
    torch.manual_seed(1)
    for model, (layers, network) in NETWORKS.items():
        from_pytorch(pipeline, model, network())
        to_pytorch(pipeline, model, named(layers()))


if __name__ == "__main__":
    main()
