"""The settings of the source alpha."""

from pydantic import Field

from fleetflow.config import Settings


class AlphaSettings(Settings):
    """Table `[alpha]`."""

    dir: str = Field(
        "data/alpha", description="directory with the CSV files; an empty string turns the source off"
    )
    pattern: str = Field(
        "*.csv",
        min_length=1,
        description="which file names to read (shell pattern; names that begin with a dot only if it does)",
    )
    shards: int = Field(
        8,
        ge=1,
        le=1024,
        description="number of partitions; stored data: never change it for a job with a recovery store",
    )
    poll_s: float = Field(
        0.1, gt=0, le=60, description="seconds between two looks at the directory, when they are cheap"
    )
    scan_share: float = Field(
        0.02,
        gt=0,
        le=1,
        description="share of one core that looking may cost, five times as much while all files change; "
        "in larger directories looks are further apart",
    )
    block_bytes: int = Field(
        16 << 20,
        ge=4096,
        le=1 << 30,
        description="bytes that are read from one file before the next one's turn",
    )
    max_line_bytes: int = Field(
        16 << 20, ge=1, description="a line without end that is longer than this is reported"
    )
    trust_inode: bool = Field(
        True,
        description="whether a file keeps its inode number; false for network mounts that invent them anew",
    )
    rotation_wait_s: float = Field(
        5.0,
        ge=0,
        description="seconds without a write after which a renamed file counts as finished",
    )
    remember_deleted: int = Field(
        100_000, ge=0, description="how many deleted files are remembered, in case they come back"
    )
