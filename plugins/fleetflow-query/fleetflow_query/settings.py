"""The settings of questions."""

from pydantic import Field

from fleetflow.config import Settings


class QuerySettings(Settings):
    """The table [query]."""

    time_limit_s: float = Field(
        10.0, gt=0, le=3600, description="how long the answer to a question may take to find"
    )
    memory_mb: int = Field(1024, ge=64, description="memory that a question and its tables may take")
    most_rows: int = Field(1_000_000, ge=1, description="rows that an answer may have")
    threads: int = Field(2, ge=1, le=64, description="threads that answer one question")
