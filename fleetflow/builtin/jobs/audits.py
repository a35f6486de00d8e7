"""Commands that prove what was read, and read it again."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from fleetflow.builtin.jobs.options import JSON, TIMEOUT, places_of
from fleetflow.config import Configuration


@click.command("audit")
@click.argument("job", required=False)
@click.option(
    "--verify", is_flag=True, help="Derive it again from the raw inputs, without trusting the ledger."
)
@JSON
@click.pass_context
def audit_command(ctx: click.Context, job: str | None, verify: bool, as_json: bool) -> None:
    """Show, per source and partition, what was read and what is missing: of a job, or of `fleetflow run`.

    Exit code 1 when something was not read and nobody knows why, or when --verify finds a problem. The
    certificate is written into the job's folder, too.
    """
    from fleetflow.audit import auditing, certificate, text  # noqa: PLC0415 - keeps other commands quick
    from fleetflow.audit.moment import ledger_folder  # noqa: PLC0415
    from fleetflow.builtin.core import RecoverySettings  # noqa: PLC0415
    from fleetflow.cli.loading import environment_of  # noqa: PLC0415 - as above
    from fleetflow.cli.output import plain, print_json  # noqa: PLC0415
    from fleetflow.jobs.surroundings import whole_environment_of  # noqa: PLC0415
    from fleetflow.savepoints import description  # noqa: PLC0415

    configuration: Configuration = ctx.obj
    if job is not None:
        found = places_of(configuration).job(job)
        spec = found.read()
        asked, home, recovery = spec.description, spec.home, found.store
        environment, started_from = whole_environment_of(found, spec), spec.started_from
        folder, running = found.folder / certificate.FOLDER, found.supervisor() is not None
        changed = spec.release > 1 or bool(spec.history or spec.started_from)
    else:
        environment = {**os.environ, **environment_of(configuration, ctx.meta["fleetflow.flags"])}
        if ctx.find_root().params.get("config"):
            environment["FLEETFLOW_CONFIG"] = str(ctx.find_root().params["config"])
        home, started_from = str(configuration.home), ""
        asked = description.ask(environment, configuration.home)
        recovery = configuration.path(configuration.table("recovery", RecoverySettings).dir)
        folder = recovery / certificate.FOLDER
        running, changed = auditing.in_use(recovery), False
    content = auditing.audit(job or "", asked, ledger_folder(asked, home), recovery, started_from)
    if verify:
        content["verification"] = auditing.verified(environment, Path(home), recovery, running, changed)
    path = certificate.write(folder, content)
    if as_json:
        print_json({**content, "file": str(path)})
    else:
        click.echo(plain(text.render(content)))
        click.echo(f"\nthe whole of it: {path}")
    if not certificate.good(content):
        ctx.exit(1)


class _Moment(click.ParamType):  # type: ignore[type-arg] # generic in some versions of click only
    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        try:
            return float(value)
        except ValueError:
            pass
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is neither seconds since 1970 nor like 2026-01-31T12:00:00", param, ctx)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


@click.command("backfill")
@click.argument("job")
@click.option("--source", help="Only this source.")
@click.option(
    "--since", type=_Moment(), help="Only pings of this time or later (UTC, or seconds since 1970)."
)
@click.option(
    "-w", "--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Worker threads."
)
@TIMEOUT
@JSON
@click.pass_obj
def backfill_command(
    configuration: Configuration,
    job: str,
    source: str | None,
    since: float | None,
    workers: int,
    timeout: float,
    as_json: bool,
) -> None:
    """Read a job's history again under its present schema, beside it; nothing moves backwards.

    Only the vehicles map is written: neither events nor rejects nor the account see the history twice.
    """
    from fleetflow.cli.output import print_json  # noqa: PLC0415
    from fleetflow.jobs import backfill  # noqa: PLC0415

    def progress(counts: dict[str, Any]) -> None:
        if as_json:
            print_json({"job": job, **counts})
        else:
            click.echo(backfill.words(counts))

    done = backfill.backfill(places_of(configuration, timeout), job, source, since, workers, progress)
    if as_json:
        print_json({"job": job, **done})
    else:
        click.echo(backfill.words(done))
