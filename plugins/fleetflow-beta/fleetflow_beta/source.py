"""The source `beta`: partitions that hold services, and the positions in them."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

from fleetflow.config import Configuration
from fleetflow.contracts.payload import Notice
from fleetflow.contracts.source import Emission
from fleetflow.errors import ConfigurationError
from fleetflow_beta import address
from fleetflow_beta.address import Address
from fleetflow_beta.client import Client
from fleetflow_beta.fetcher import Fetcher
from fleetflow_beta.reached import Reached, entries, from_plain, position_of
from fleetflow_beta.settings import BetaSettings

NAME = "beta"
PROGRESS_EVERY_S = 1.0
CLOSE_S = 1.0
"""How long `close` waits for the threads; a connection that is being made may outlast it."""

log = logging.getLogger("fleetflow_beta")


class BetaSource:
    """Reads the services of `[beta] url`. At-least-once; after a resume the last interval repeats.

    The partitions are `beta-0` to `beta-<shards - 1>`, whatever the URLs are: a job can be resumed with
    more, fewer or reordered URLs. A service belongs to partition `crc32(resource) % shards`, where its
    resource is its URL without credentials.
    """

    name = NAME

    def __init__(self, settings: BetaSettings, ca_file: Path | None = None, once: bool = False) -> None:
        self._settings = settings
        self._ca_file = ca_file
        self._once = once
        self._addresses = [address.parse(url.get_secret_value()) for url in settings.url]

    @classmethod
    def from_configuration(cls, configuration: Configuration) -> BetaSource:
        """Return the source as configured; raises ConfigurationError when `ca_file` is not there."""
        settings = configuration.table(NAME, BetaSettings)
        ca_file = configuration.path(settings.ca_file) if settings.ca_file else None
        if ca_file is not None and not ca_file.is_file():
            raise ConfigurationError(
                f"[beta] ca_file: there is no file {ca_file}", "correct it, or leave it empty"
            )
        return cls(settings, ca_file, configuration.once)

    def partitions(self) -> Sequence[str]:
        """Return `beta-0`, `beta-1`, ..., as many as `[beta] shards` says."""
        return [f"{NAME}-{shard}" for shard in range(self._settings.shards)]

    def open(self, partition: str, position: Any | None) -> BetaPartition:
        """Open one partition, and begin to fetch its services; raises StoreError for a strange position."""
        stored = entries(position)
        fetchers = [
            self._fetcher(service, partition, stored.get(service.resource))
            for service in self._addresses
            if f"{NAME}-{crc32(service.resource.encode()) % self._settings.shards}" == partition
        ]
        return BetaPartition(partition, fetchers, stored)

    def _fetcher(self, service: Address, partition: str, entry: Mapping[str, Any] | None) -> Fetcher:
        settings = self._settings
        secret = settings.authorization.get_secret_value()
        if (secret or service.auth) and service.url.startswith("http:") and not service.loopback:
            log.warning(
                "%s is asked with credentials over a connection that is not encrypted", service.resource
            )
        client = Client(
            service,
            authorization=secret,
            ca_file=self._ca_file,
            connect_timeout_s=settings.connect_timeout_s,
            timeout_s=settings.timeout_s,
            page_timeout_s=settings.page_timeout_s,
            max_page_bytes=settings.max_page_bytes,
            environment=os.environ.get,
        )
        reached = Reached() if entry is None else from_plain(entry)
        return Fetcher(client, service.resource, partition, NAME, reached, settings, self._once)


class BetaPartition:
    """The services of one partition. `poll` only drains what their threads have fetched."""

    def __init__(
        self, name: str, fetchers: Sequence[Fetcher], stored: Mapping[str, Mapping[str, Any]]
    ) -> None:
        self._name = name
        self._fetchers = list(fetchers)
        # services that are no longer listed keep their entry: they may come back
        self._entries = {url: dict(entry) for url, entry in stored.items()}
        self._sequences = {
            fetcher.url: self._entries.get(fetcher.url, {}).get("since", -1) for fetcher in fetchers
        }
        self._turn = 0
        self._progress: dict[str, Any] = {}
        self._progress_at = 0.0
        for fetcher in self._fetchers:
            fetcher.start()

    def poll(self, max_bytes: int) -> Sequence[Emission]:
        """Return what was fetched, whole pages, each service having its turn to be the first."""
        emissions: list[Emission] = []
        room = max_bytes
        count = len(self._fetchers)
        for index in range(count):
            fetcher = self._fetchers[(self._turn + index) % count]
            if room <= 0:
                break
            for item in fetcher.take(room):
                emissions.extend(item.emissions)
                self._entries[fetcher.url] = item.reached.plain()
                self._sequences[fetcher.url] = item.reached.since
                room -= item.size
        self._turn += 1
        progress = self._progress_now()
        if progress is not None:
            emissions.append(progress)
        return emissions

    def next_poll_s(self) -> float:
        """Return 0 when something is there, else the time until the next page can be."""
        return min((fetcher.ahead.next_take_s() for fetcher in self._fetchers), default=60.0)

    def caught_up(self) -> bool:
        """Whether the last page of each service was not full and is emitted.

        With `--once`, a service that failed `once_attempts` times in a row counts as caught up, after a
        warning.
        """
        return all(fetcher.ahead.caught_up() for fetcher in self._fetchers)

    def position(self) -> Any:
        """Return `{"v": 1, "urls": {resource: entry}}`; see `Reached` for the entry."""
        return position_of(self._entries)

    def close(self) -> None:
        """End the threads."""
        for fetcher in self._fetchers:
            fetcher.stop()
        deadline = time.monotonic() + CLOSE_S
        for fetcher in self._fetchers:
            fetcher.join(max(0.0, deadline - time.monotonic()))

    def _progress_now(self) -> Notice | None:
        now = time.monotonic()
        if not self._fetchers or (self._progress and now - self._progress_at < PROGRESS_EVERY_S):
            return None
        queued = [fetcher.ahead.behind() for fetcher in self._fetchers]
        behind, more = sum(pings for pings, _ in queued), any(more for _, more in queued)
        progress = {
            "behind": behind,
            "unit": "pings",
            # a service does not say how many it has: with more to come, `behind` is the least it can be
            "at_least": more,
            "sequence": max(self._sequences.values()),
            "sequences": dict(self._sequences),
        }
        if progress == self._progress:
            return None
        self._progress, self._progress_at = progress, now
        words = f"at least {behind}" if more else str(behind)
        return Notice(NAME, self._name, "progress", f"{words} pings behind", time.time(), progress)
