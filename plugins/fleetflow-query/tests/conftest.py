"""Makes `query_kit` importable: pytest's importlib mode leaves the folder of the tests off sys.path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
