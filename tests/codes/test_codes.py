"""Titles and severities of codes, built in and from a user's file."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fleetflow import config
from fleetflow.codes import Codes, CodesSettings
from fleetflow.codes.codes import builtin_titles, parse_titles, read_titles
from fleetflow.codes.severity import RULES, severity_of
from fleetflow.errors import ConfigurationError

FULLER = Path(__file__).parents[3] / "shared/data/dtc/generic_codes.csv"


def loaded(tmp_path, **table):
    return config.load(
        {"codes": CodesSettings}, environment={"FLEETFLOW_HOME": str(tmp_path)}, flags={"codes": table}
    )


def test_common_codes_have_a_title(tmp_path):
    codes = Codes.of(loaded(tmp_path))
    assert codes.title("P0171") == "Mixture too lean (bank 1)"
    assert codes.title(" p0171 ") == "Mixture too lean (bank 1)"
    assert codes.describe("p0171") == "P0171 Mixture too lean (bank 1)"
    assert codes.title("P1ABC") is None
    assert codes.describe("P1ABC") == "P1ABC"


def test_built_in_table_holds_some_hundred_well_formed_codes_of_each_kind():
    titles = builtin_titles()
    assert len(titles) > 500
    assert all(re.fullmatch("[PBCU][0-9A-F]{4}", code) for code in titles)
    assert {code[:2] for code in titles} >= {"P0", "P2", "B0", "C0", "U0"}
    assert list(titles) == sorted(titles, key=lambda code: ("PBCU".index(code[0]), code))


@pytest.mark.parametrize(
    ("code", "severity"),
    [
        ("B0001", "critical"),
        ("b0028", "critical"),
        ("B0070", "critical"),
        ("B0052", "warning"),
        ("P0217", "critical"),
        ("P0524", "critical"),
        ("P0521", "warning"),
        ("P0300", "warning"),
        ("P0312", "warning"),
        ("P0313", "warning"),
        ("P0320", "info"),
        ("C0040", "critical"),
        ("C0049", "critical"),
        ("C0031", "warning"),
        ("U0121", "critical"),
        ("U0100", "warning"),
        ("P0171", "info"),
        ("P0420", "info"),
        ("P1ABC", "info"),
        ("", "info"),
        ("anything else", "info"),
    ],
)
def test_severity_goes_by_rule(tmp_path, code, severity):
    assert severity_of(code) == severity
    assert Codes({}).severity(code) == severity


@pytest.mark.parametrize(("severity", "about", "pattern"), RULES, ids=lambda part: part[:30])
def test_each_rule_decides_for_some_built_in_code(severity, about, pattern):
    decided = [code for code in builtin_titles() if re.fullmatch(pattern, code)]
    assert any(severity_of(code) == severity for code in decided), about


def test_users_file_comes_before_the_built_in_titles_and_its_last_row_wins(tmp_path):
    (tmp_path / "mine.csv").write_text(
        '\ufeffcode,description\nP0171,first\np0171,"second, with a comma"\n\nX1,made here,more\n', "utf-8"
    )
    codes = Codes.of(loaded(tmp_path, file="mine.csv"))
    assert codes.title("P0171") == "second, with a comma"
    assert codes.title("X1") == "made here"
    assert codes.title("P0300") == builtin_titles()["P0300"]
    assert len(codes) == len(builtin_titles()) + 1


def test_bad_rows_are_named_with_their_lines():
    lines = ["code,description\n", "P0171,fine\n", "P0172\n", ",no code\n", "P0 173,blank in code\n"]
    with pytest.raises(ConfigurationError) as raised:
        parse_titles(lines, "mine.csv")
    assert "mine.csv" in raised.value.message
    for line in ("line 3: 'P0172'", "line 4: ',no code'", "line 5: 'P0 173,blank in code'"):
        assert line in raised.value.message
    with pytest.raises(ConfigurationError, match="and 5 more"):
        parse_titles(["x\n"] * 10, "mine.csv")


@pytest.mark.parametrize("content", [None, b"P0171,\xff\n"])
def test_file_that_cannot_be_read_is_named(tmp_path, content):
    file = tmp_path / "mine.csv"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"mine\.csv cannot be read"):
        read_titles(file)


def test_listing_by_prefix_is_in_order(tmp_path):
    found = list(Codes.of(loaded(tmp_path)).items("p01"))
    assert len(found) > 50
    assert [code for code, _ in found] == sorted(code for code in builtin_titles() if code.startswith("P01"))


@pytest.mark.skipif(not FULLER.is_file(), reason="a user's fuller table (../shared/data/dtc) is not here")
def test_fuller_table_of_thousands_of_codes_is_read():
    titles = read_titles(FULLER)
    assert len(titles) > 9000
    assert set(builtin_titles()) <= set(titles)


def test_commands_show_and_list(tmp_path):
    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-P", "-m", "fleetflow", "codes", *arguments],
            cwd=tmp_path,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    shown = [json.loads(line) for line in run("show", "p0171", "P1ABC", "--json").splitlines()]
    assert shown == [
        {"code": "P0171", "title": "Mixture too lean (bank 1)", "severity": "info"},
        {"code": "P1ABC", "title": None, "severity": "info"},
    ]
    assert "(not known)" in run("show", "P1ABC")
    listed = [json.loads(line)["code"] for line in run("list", "--prefix", "B000", "--json").splitlines()]
    assert listed == ["B0001", "B0002", "B0003", "B0004", "B0005"]


def test_page_of_severities_is_what_the_rules_say():
    page = (Path(__file__).parents[2] / "docs/how-to/codes.md").read_text("utf-8")
    rows = re.findall(r"^\| (critical|warning) \| .* \| (.*) \|$", page, re.MULTILINE)
    assert len(rows) > 5
    found = [(severity, code) for severity, codes in rows for code in re.findall("[PBCU][0-9A-F]{4}", codes)]
    assert len(found) > 40
    assert [(severity_of(code), code) for _, code in found] == found
