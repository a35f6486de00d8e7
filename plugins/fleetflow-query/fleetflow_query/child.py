"""The process that answers one question: `python -m fleetflow_query.child`, started by `DuckQuery`.

A function of SQL can make gigabytes of a few bytes within one step that nothing can interrupt. So questions
are answered in a process of their own, with an end to its memory and its time, that can be killed.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

from fleetflow_query import messages
from fleetflow_query.engine import Engine
from fleetflow_query.errors import QueryError

STATM = Path("/proc/self/statm")
THREAD_BYTES = 64 << 20
"""Address space that a thread may take without using it, and some air."""


def limit(memory_mb: int, threads: int, cpu_s: int) -> None:
    """Let this process take only so much more memory, and only so much time of processors."""
    # elsewhere than on Linux addresses are not limited, and the clock has to do
    if STATM.exists():
        pages = int(STATM.read_text("ascii").split()[0])
        # DuckDB's own limit is reached first by data; twice as much leaves room for the answer on its way out
        most = pages * resource.getpagesize() + 2 * (memory_mb << 20) + (threads + 2) * THREAD_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # nothing is written to any file, whatever finds a way to open one
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def main() -> None:
    """Read a question and its tables from standard input, and write the answer to standard output."""
    given, answers = sys.stdin.buffer, sys.stdout.buffer
    question = messages.receive(given)
    engine = Engine(question["threads"], question["memory_mb"])
    limit(question["memory_mb"], question["threads"], question["cpu_s"])
    try:
        ask = engine.condition if question["kind"] == "condition" else engine.statement
        needed = ask(question["text"])
        messages.send(answers, {"tables": needed})
        for name in needed:
            engine.load(name, messages.receive_table(given))
        answer = engine.answer(question["limit"])
    except QueryError as error:
        messages.send(answers, {"error": error.message, "hint": error.hint})
    else:
        messages.send(answers, {})
        messages.send_table(answers, answer)


if __name__ == "__main__":
    try:
        main()
    except (EOFError, BrokenPipeError):
        # whoever asked is gone
        os._exit(1)
    # at once: DuckDB complains of its own leaks at an orderly exit
    os._exit(0)
