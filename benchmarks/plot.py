"""Works with contestants as bars: pings per second, with the spread of the runs."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

from benchmarks.results import Outcome

COLOURS = {"ours": "#0f766e", "stream": "#94a3b8", "limit": "#e2e8f0"}
CHARACTERS = 90
"""Of a line above a plot."""
LABELS = {"ours": "fleetflow", "stream": "streaming peers", "limit": "batch scans, as a limit"}


def draw(outcomes: Sequence[Outcome], folder: Path) -> list[Path]:
    """Write `benchmark-<work>.png` for each work that has trials; needs matplotlib."""
    import matplotlib as mpl  # noqa: PLC0415 - only for the plot

    mpl.use("agg")
    from matplotlib import pyplot  # noqa: PLC0415 - after the backend was chosen
    from matplotlib.patches import Patch  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for outcome in outcomes:
        trials = [trial for trial in outcome.trials if trial.runs]
        if not trials:
            continue
        figure, axes = pyplot.subplots(figsize=(9, 0.42 * len(trials) + 1.5), layout="constrained")
        for row, trial in enumerate(trials):
            rate = trial.rate / 1e6
            least, most = (trial.pings / time / 1e6 for time in (max(trial.times), min(trial.times)))
            axes.barh(row, rate, color=COLOURS[trial.kind], edgecolor="#475569", linewidth=0.5)
            axes.errorbar(rate, row, xerr=[[rate - least], [most - rate]], color="#1e293b", capsize=3)
            axes.annotate(
                f"{rate:.2f}", (most, row), xytext=(6, 0), textcoords="offset points", va="center", fontsize=9
            )
        axes.set_yticks(range(len(trials)), [trial.name for trial in trials])
        axes.invert_yaxis()
        axes.margins(x=0.12)
        axes.set_xlabel("million pings per second, whole process (more is better)")
        about = "\n".join(textwrap.wrap(outcome.description, CHARACTERS))
        figure.suptitle(f"{outcome.title}\n{about}", fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
        kinds = [kind for kind in COLOURS if any(trial.kind == kind for trial in trials)]
        if len(kinds) > 1:
            axes.legend(
                handles=[Patch(color=COLOURS[kind], label=LABELS[kind]) for kind in kinds], fontsize=8
            )
        file = folder / f"benchmark-{outcome.key}.png"
        figure.savefig(file, dpi=110)
        pyplot.close(figure)
        files.append(file)
    return files
