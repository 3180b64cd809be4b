"""Checks exported files with Python's ONNX tools.

    python tests/interop/check.py MODEL.onnx EVALUATION.json [...]

For each pair: onnx's checker with full check and strict shape inference accept
the file, and onnxruntime, fed as the file's metadata says, gives the confusion
matrix that `pipeline run` (or `runtime eval --json`) wrote.
"""

import gzip
import json
import struct
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

BATCH = 250


def read_idx(folder: Path, stem: str) -> np.ndarray:
    """An IDX file of bytes, raw or gzipped."""
    for name in (stem, stem.replace("-idx", ".idx")):
        for path, opener in ((folder / name, open), (folder / f"{name}.gz", gzip.open)):
            if path.exists():
                with opener(path, "rb") as file:
                    data = file.read()
                rank = data[3]
                shape = struct.unpack(f">{rank}I", data[4 : 4 + 4 * rank])
                return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)
    raise SystemExit(f"no {stem} in {folder}")


def confusion(path: Path, model: onnx.ModelProto) -> list[list[int]]:
    """Counts by true class (row) and predicted class (column)."""
    about = {prop.key: prop.value for prop in model.metadata_props}
    dataset = about["burnish.dataset"]
    channels, height, width = json.loads(about["burnish.input"])
    mean, std = (
        np.array(json.loads(about[f"burnish.{key}"]), np.float32).reshape(1, -1, 1, 1)
        for key in ("mean", "std")
    )
    classes = len(json.loads(about["burnish.classes"]))

    folder = Path("data") / dataset
    images = read_idx(folder, "t10k-images-idx3-ubyte").reshape(-1, channels, height, width)
    labels = read_idx(folder, "t10k-labels-idx1-ubyte")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    counts = np.zeros((classes, classes), int)
    for start in range(0, len(images), BATCH):
        batch = (images[start : start + BATCH].astype(np.float32) / 255 - mean) / std
        (logits,) = session.run(["logits"], {"image": batch})
        np.add.at(counts, (labels[start : start + BATCH], logits.argmax(1)), 1)
    return counts.tolist()


def check(path: Path, evaluation: Path) -> None:
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    ours = json.loads(evaluation.read_text())["confusion"]
    theirs = confusion(path, model)
    if ours != theirs:
        raise SystemExit(f"{path}: onnxruntime gives other labels than {evaluation}")
    print(f"{path}: accepted, labels equal")


def main() -> None:
    arguments = [Path(argument) for argument in sys.argv[1:]]
    if not arguments or len(arguments) % 2:
        raise SystemExit(__doc__)
    for model, evaluation in zip(arguments[::2], arguments[1::2]):
        check(model, evaluation)


if __name__ == "__main__":
    main()
