"""The checksum in C is zlib's."""

import ctypes
import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fleetflow.native.library import library

pytestmark = pytest.mark.skipif(library() is None, reason="nothing was compiled: there is no C compiler")


@pytest.mark.parametrize("name", ["fleetflow_crc32", "fleetflow_crc32_portable"])
@given(
    st.one_of(
        st.binary(max_size=300), st.builds(lambda d, n: d * n, st.binary(max_size=80), st.integers(1, 99))
    ),
    st.integers(0, 2**32 - 1),
    st.integers(0, 16),
)
@example(bytes(range(256)) * 300, 0, 0)
def test_every_way_finds_the_checksum_of_zlib(name, data, begun, skipped):
    function = getattr(library(), name)
    function.restype = ctypes.c_uint32
    buffer = ctypes.create_string_buffer(data, len(data) + 1)
    skipped = min(skipped, len(data))
    # also where it does not begin at a boundary
    at = ctypes.c_void_p(ctypes.addressof(buffer) + skipped)
    length = ctypes.c_size_t(len(data) - skipped)
    assert function(ctypes.c_uint32(begun), at, length) == zlib.crc32(data[skipped:], begun)
