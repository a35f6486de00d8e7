"""`python -m benchmarks` measures; `--help` says what."""

from benchmarks.cli import main

main()
