"""Checks the models of the export tests with Python's ONNX tools.

    python tests/interop/cases.py FOLDER

For each model in the folder, which BURNISH_CASES told the tests to fill: onnx's
checker with full check and strict shape inference accept it. For one opset of
each, onnx's reference evaluator, a second engine, answers as onnxruntime does on
random inputs, where it has the model's operators.
"""

import sys
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator

# Any size will do for a symbol that stands alone; a model that needs another
# one is left to the tests.
SIZE = 4
TOLERANCE = 1e-4
# Of models that compute in 16 bits.
HALF_TOLERANCE = 1e-2
# The reference evaluator loops in Python, and knows the opsets in between well.
LARGEST = 300_000
OPSET = 18
# Where the reference evaluator does not follow ONNX's description, by a part of
# the file's name.
DEPARTS = {
    "grus_match_burn_relu": "it ignores `activations`",
    "lstms_match_burn_relu": "it ignores `activations`",
    "_coupled@": "it ignores `input_forget`",
    "ceil_true__counted_true": "it cuts the first window off in place of the last",
}


def sample(value: onnx.ValueInfoProto, random: np.random.Generator) -> np.ndarray:
    """A random input, of small indices where it is of integers."""
    tensor = value.type.tensor_type
    shape = [dim.dim_value or SIZE for dim in tensor.shape.dim]
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    if dtype == bool:
        return random.random(shape) < 0.5
    if np.issubdtype(dtype, np.integer):
        return random.integers(1, 3, shape).astype(dtype)
    return random.uniform(0.1, 0.9, shape).astype(dtype)


def accept(model: onnx.ModelProto) -> None:
    """Raises what the checker or shape inference has to say."""
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)


def is_compared(path: Path, model: onnx.ModelProto) -> bool:
    small = model.ByteSize() < LARGEST and len(model.graph.node) < 100
    departs = any(part in path.name for part in DEPARTS)
    return small and model.opset_import[0].version == OPSET and not departs


def tolerance(model: onnx.ModelProto) -> float:
    half = any(weight.data_type == onnx.TensorProto.FLOAT16 for weight in model.graph.initializer)
    return HALF_TOLERANCE if half else TOLERANCE


def compare(path: Path, model: onnx.ModelProto) -> str:
    """Runs both engines: `equal`, or why one of them could not be run."""
    random = np.random.default_rng(zlib.crc32(path.name.encode()))
    inputs = {value.name: sample(value, random) for value in model.graph.input}
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    try:
        theirs = session.run(None, inputs)
    except Exception:  # It has a class of its own for each reason.
        return "not of these sizes"
    try:
        with np.errstate(all="ignore"):
            reference = ReferenceEvaluator(model).run(None, inputs)
    except Exception as error:  # Whatever an operator that it lacks raises.
        return f"no reference: {type(error).__name__}"
    allowed = tolerance(model)
    for ours, other in zip(theirs, reference):
        np.testing.assert_allclose(ours, other, rtol=allowed, atol=allowed, err_msg=path.name)
    return "equal"


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    paths = sorted(Path(sys.argv[1]).glob("*.onnx"))
    if not paths:
        raise SystemExit(f"no models in {sys.argv[1]}")
    results: Counter[str] = Counter()
    wrong = []
    for path in paths:
        model = onnx.load(path)
        try:
            accept(model)
            results["accepted"] += 1
            if is_compared(path, model):
                results[compare(path, model)] += 1
        except (AssertionError, onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
            wrong.append(f"{path.name}: {error}")
    print(", ".join(f"{count} {result}" for result, count in results.most_common()))
    if wrong:
        raise SystemExit("\n".join(wrong))


if __name__ == "__main__":
    main()
