"""The compiled library, if there is one."""

from __future__ import annotations

import ctypes
import logging
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

log = logging.getLogger(__name__)

FILE = Path(__file__).with_name("_native.so")
SWITCH = "FLEETFLOW_NATIVE"
"""Set to 0 in the environment, everything is done in Python."""
VERSION = 4
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


def call(function: Any, *arguments: Any) -> int:
    """Call a function that returns a number: arrays by their address, numbers of 64 bits."""
    function.restype = ctypes.c_int64
    passed = [
        ctypes.c_void_p(argument.ctypes.data)
        if isinstance(argument, np.ndarray)
        else ctypes.c_int64(argument)
        if isinstance(argument, int)
        else ctypes.c_double(argument)
        if isinstance(argument, float)
        else argument
        for argument in arguments
    ]
    return int(function(*passed))
