"""The compiled library, if there is one."""

from __future__ import annotations

import ctypes
import logging
import os
from functools import lru_cache
from pathlib import Path

log = logging.getLogger(__name__)

FILE = Path(__file__).with_name("_native.so")
SWITCH = "FLEETFLOW_NATIVE"
"""Set to 0 in the environment, everything is done in Python."""
VERSION = 3
"""Of functions and structures, in C and here: what was compiled from others is not used."""


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL | None:
    """Return the library; None where it was not compiled, or is switched off. Calls let other threads run."""
    if os.environ.get(SWITCH) == "0" or not FILE.is_file():
        return None
    try:
        found = ctypes.CDLL(str(FILE))
        version = int(found.fleetflow_native_version())
    except (OSError, AttributeError) as error:
        log.warning("%s cannot be used, going on in Python: %s", FILE, error)
        return None
    if version != VERSION:
        log.warning("%s has version %d, expected %d: going on in Python", FILE, version, VERSION)
        return None
    return found
