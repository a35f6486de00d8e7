"""The documentation is complete and its generated parts are current."""

import re
import runpy
from pathlib import Path

import pytest

from fleetflow import hookspecs

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def test_hooks_page_is_current():
    generated = runpy.run_path(str(ROOT / "docs/generate.py"))["hooks"]()
    assert (ROOT / "docs/reference/hooks.md").read_text("utf-8") == generated, "run python docs/generate.py"


def test_each_hook_is_tested_somewhere():
    tests = "".join(
        path.read_text("utf-8") for path in ROOT.glob("**/tests/**/*.py") if ".tox" not in path.parts
    )
    kit = (ROOT / "fleetflow/testing/memory.py").read_text("utf-8")
    for name in vars(hookspecs):
        if name.startswith("fleetflow_"):
            assert name in tests or name in kit, f"{name} has no test"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), f"{page} links to {target}"
