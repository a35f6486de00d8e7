"""Reading pickled state without running anybody's code."""

from __future__ import annotations

import io
import pickle
from typing import Any

from fleetflow.errors import StoreError


class _Plain(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        raise pickle.UnpicklingError(f"it names {module_name}.{global_name}")

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it refers to something outside")


def loads(data: bytes) -> Any:
    """Return pickled plain data: numbers, texts, bytes, tuples, lists, dicts, sets and None.

    Raises StoreError for anything else: a class is never looked up, so nothing can be run.
    """
    try:
        return _Plain(io.BytesIO(data)).load()
    # a damaged pickle can raise nearly anything
    except Exception as error:
        raise StoreError(
            f"a stored state is not plain data: {error}", "it was damaged, or written by another program"
        ) from error
