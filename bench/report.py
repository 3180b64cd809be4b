"""Results as a table, a plot and JSON."""

import json
import os
import platform
import statistics
from pathlib import Path

NAMES = {
    "burnish": "Burnish",
    "flex": "Burn `flex`",
    "eager": "PyTorch eager",
    "compile": "PyTorch compiled",
}


def machine():
    model = next(
        line.split(":")[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    )
    import torch

    return {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "system": platform.platform(),
        "pytorch": torch.__version__,
        "load": os.getloadavg()[0],
    }


def ratios(rows):
    """Burnish's speed against the faster PyTorch on as many threads."""
    ours = {row["threads"]: row for row in rows if row["implementation"] == "burnish"}
    torch = [row for row in rows if row["implementation"] in ("eager", "compile")]
    fastest = lambda measure, threads: min(
        measure(row) for row in torch if row["threads"] == threads and measure(row)
    )
    epoch = lambda row: statistics.median(row["epoch_seconds"]) if row["epoch_seconds"] else None
    found = {}
    for threads, row in ours.items():
        for name, measure in [
            ("step", lambda row: row["milliseconds"]),
            ("best step", lambda row: row["best"]),
            ("processor time", lambda row: row["processor"]),
            ("memory", lambda row: row["memory"]),
            ("epoch", epoch),
        ]:
            if measure(row):
                found[name, threads] = fastest(measure, threads) / measure(row)
    return found


def table(rows):
    """The rows of one network as Markdown."""
    lines = [
        f"### {rows[0]['network']}, batch {rows[0]['batch']}",
        "",
        "| | threads | ms per step (quartiles) | best | processor ms | images/s | GFLOP/s "
        "| of SGEMM | peak MB | epoch s | accuracy |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        low, high = row["quartiles"]
        epoch = accuracy = ""
        if row["epoch_seconds"]:
            epoch = f"{statistics.median(row['epoch_seconds']):.2f}"
            accuracy = f"{statistics.median(row['epoch_accuracy']):.2%}"
        lines.append(
            f"| {NAMES[row['implementation']]} | {row['threads']} "
            f"| {row['milliseconds']:.2f} ({low:.2f}–{high:.2f}) | {row['best']:.2f} "
            f"| {row['processor']:.2f} | {row['images_per_second']:,.0f} | {row['gflops']:.0f} "
            f"| {row['share_of_sgemm']:.0%} | {row['memory'] / 1e6:.0f} | {epoch} | {accuracy} |"
        )
    found = ratios(rows)
    for threads in sorted({threads for _, threads in found}):
        parts = [f"{name} {found[name, t]:.2f}×" for name, t in found if t == threads]
        lines += ["", f"Burnish against the faster PyTorch, {threads} threads: {', '.join(parts)}."]
    return "\n".join(lines) + "\n"


def scaling_table(scaling):
    lines = []
    for axis, power in [("batch", 1), ("channels", 2)]:
        lines += [f"### Time of a step by {axis}", "", f"| {axis} | Burnish ms | ms / {axis}"
                  + ("²" if power == 2 else "") + ", first = 1 | PyTorch eager ms |",
                  "|--:|--:|--:|--:|"]
        times = scaling[axis]
        first = None
        for size, milliseconds in times["burnish"].items():
            share = milliseconds / size**power
            first = first or share
            lines.append(
                f"| {size} | {milliseconds:.2f} | {share / first:.2f} "
                f"| {times['eager'][size]:.2f} |"
            )
        lines.append("")
    return "\n".join(lines)


def plot(scaling, path):
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "burnish"
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    titles = {"batch": "cnn-32-64", "channels": "four 3×3 convolutions, batch 64"}
    for ax, (axis, power) in zip(axes, [("batch", 1), ("channels", 2)]):
        for name, times in scaling[axis].items():
            ax.loglog(list(times), list(times.values()), "o-", base=2, label=NAMES[name])
        sizes, times = zip(*scaling[axis]["burnish"].items())
        line = [times[-1] * (size / sizes[-1]) ** power for size in sizes]
        ax.loglog(sizes, line, "k:", base=2, label="linear" if power == 1 else "quadratic")
        ax.set(xlabel=axis, ylabel="ms per step", title=titles[axis])
        ax.set_xticks(sizes, [str(size) for size in sizes])
        ax.legend()
    figure.savefig(path, metadata={"Date": None})


def recipe_line(row):
    """One training of a recipe in a line."""
    results = [
        f"{name} {row[side][-1]['accuracy']:.2%} in {seconds(row[side]):.1f} s"
        for side, name in [("burnish", "Burnish"), ("pytorch", "PyTorch")]
    ]
    return f"{row['recipe']}, seed {row['seed']}: {', '.join(results)}"


def seconds(epochs):
    return sum(epoch["seconds"] for epoch in epochs)


def recipes_table(rows):
    """Accuracy after the last epoch, mean of the seeds; seconds of training, median."""
    lines = [
        "| recipe | seeds | accuracy | PyTorch | training s | PyTorch | PyTorch / Burnish |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name in dict.fromkeys(row["recipe"] for row in rows):
        trainings = [row for row in rows if row["recipe"] == name]
        accuracy, time = {}, {}
        for side in ["burnish", "pytorch"]:
            ends = [row[side][-1]["accuracy"] for row in trainings]
            accuracy[side] = statistics.mean(ends)
            time[side] = statistics.median(seconds(row[side]) for row in trainings)
        seeds = ", ".join(str(row["seed"]) for row in trainings)
        lines.append(
            f"| `{name}` | {seeds} | {accuracy['burnish']:.2%} | {accuracy['pytorch']:.2%} "
            f"| {time['burnish']:.1f} | {time['pytorch']:.1f} "
            f"| {time['pytorch'] / time['burnish']:.2f}× |"
        )
    return "\n".join(lines) + "\n"


def heading(title, machine, command):
    return (
        f"# {title}\n\n{machine['processor']}, {machine['cores']} cores, PyTorch "
        f"{machine['pytorch']}, {machine['system']}; load average at the end "
        f"{machine['load']:.1f}. Written by `{command}`.\n\n"
    )


def write_recipes(results, folder):
    text = heading("Recipes", results["machine"], "bench/run --recipes")
    (folder / "recipes.md").write_text(text + recipes_table(results["trainings"]))
    (folder / "recipes.json").write_text(json.dumps(results, indent=1) + "\n")


def write(results, folder):
    measured = dict.fromkeys((row["network"], row["batch"]) for row in results["steps"])
    tables = [
        table([row for row in results["steps"] if (row["network"], row["batch"]) == one])
        for one in measured
    ]
    text = heading("Training speed", results["machine"], "bench/run") + "\n".join(tables)
    if "scaling" in results:
        text += "\n" + scaling_table(results["scaling"]) + "\n![scaling](scaling.svg)\n"
    (folder / "results.md").write_text(text)
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n")
