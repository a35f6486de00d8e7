"""Writes the parts of the documentation that are generated: `python docs/generate.py [--check]`."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

from fleetflow import hookspecs

HERE = Path(__file__).parent
HOOKS = HERE / "reference" / "hooks.md"


def hooks() -> str:
    """Return the page of all hooks, from their specifications."""
    parts = [
        "# Hooks\n\n"
        "Everything a plugin can add. Generated from `fleetflow/hookspecs.py` by `python docs/generate.py`.\n"
    ]
    for name, function in vars(hookspecs).items():
        if not name.startswith("fleetflow_"):
            continue
        signature = str(inspect.signature(function)).replace("'", "")
        parts.append(f"## {name}\n\n```python\n{name}{signature}\n```\n\n{inspect.getdoc(function)}\n")
    return "\n".join(parts)


def main() -> int:
    """Write the page, or with --check say whether it is current."""
    text = hooks()
    if "--check" in sys.argv[1:]:
        return 0 if HOOKS.is_file() and HOOKS.read_text("utf-8") == text else 1
    HOOKS.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
