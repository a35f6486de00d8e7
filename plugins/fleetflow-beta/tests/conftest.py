import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# the tests of this folder share one module, whatever pytest's import mode is
sys.path.insert(0, str(Path(__file__).parent))

from beta_service import Service


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    yield service
    service.stop()
