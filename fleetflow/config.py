"""Settings: defined once by whoever owns them, read from file, environment and flags.

Each plugin defines the tables it owns (`fleetflow_settings`); this module reads them: defaults, then
`fleetflow.toml`, then `FLEETFLOW_<TABLE>_<KEY>` in the environment, then flags. An unknown table or key
is an error that names the nearest known one.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, create_model
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from fleetflow.errors import ConfigurationError

FILE_NAME = "fleetflow.toml"
PREFIX = "FLEETFLOW_"
TOP_LEVEL = frozenset({"FLEETFLOW_CONFIG", "FLEETFLOW_HOME", "FLEETFLOW_NATIVE", "FLEETFLOW_ONCE"})
"""Variables that are not settings of a table: the file to read, the folder that relative paths start
from, and whether to end when caught up."""

Model = TypeVar("Model", bound=BaseModel)


class Settings(BaseModel):
    """Base of every settings table: frozen, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def _split(value: object) -> object:
    return value.replace(",", " ").split() if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_split)]
"""A list of words: a TOML array, or one string separated by spaces or commas."""


@dataclass(frozen=True, slots=True)
class Value:
    """One setting as `fleetflow config show` prints it: `origin` is where its value comes from."""

    table: str
    key: str
    value: Any
    origin: str
    help: str

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"{PREFIX}{self.table}_{self.key}".upper()


class Configuration:
    """All settings of one process, checked, with where each came from."""

    def __init__(
        self,
        tables: Mapping[str, BaseModel],
        origins: Mapping[tuple[str, str], str],
        home: Path,
        once: bool = False,
    ) -> None:
        self._tables = dict(tables)
        self._origins = dict(origins)
        self.home = home
        self.once = once

    def table(self, name: str, model: type[Model]) -> Model:
        """Return the settings of a table, as the model that its owner declared."""
        table = self._tables[name]
        if not isinstance(table, model):
            raise TypeError(f"settings table {name} is a {type(table).__name__}, not a {model.__name__}")
        return table

    def path(self, value: str | Path) -> Path:
        """Return `value` as an absolute path; relative ones start from FLEETFLOW_HOME or this folder."""
        return (self.home / Path(value).expanduser()).absolute()

    def values(self) -> Iterator[Value]:
        """Yield every setting, table by table."""
        for table, model in self._tables.items():
            for key, field in type(model).model_fields.items():
                yield Value(
                    table,
                    key,
                    getattr(model, key),
                    self._origins.get((table, key), "default"),
                    field.description or "",
                )

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Return all settings as plain JSON data."""
        return {name: model.model_dump(mode="json") for name, model in self._tables.items()}


def load(
    models: Mapping[str, type[BaseModel]],
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Mapping[str, Any]] | None = None,
) -> Configuration:
    """Read the settings of `models` (table name to model).

    `file` None means FLEETFLOW_CONFIG, or `fleetflow.toml` in the home folder when there is one.
    Raises ConfigurationError for anything unknown, unreadable or of a wrong type.
    """
    env = dict(os.environ if environment is None else environment)
    home = Path(env.get("FLEETFLOW_HOME") or ".").absolute()
    chosen = file or (Path(env["FLEETFLOW_CONFIG"]) if env.get("FLEETFLOW_CONFIG") else None)
    if chosen is not None and not chosen.is_file():
        raise ConfigurationError(
            f"there is no configuration file {chosen}", "correct --config or FLEETFLOW_CONFIG"
        )
    path = chosen or home / FILE_NAME
    layers: list[tuple[str, dict[str, dict[str, Any]]]] = []
    if path.is_file():
        layers.append((str(path), _from_file(path, models)))
    layers.append(("environment", _from_environment(env, models)))
    layers.append(
        ("flag", _known({name: dict(keys) for name, keys in (flags or {}).items()}, models, "a flag"))
    )
    origins = {
        (table, key): (f"{PREFIX}{table}_{key}".upper() if origin == "environment" else origin)
        for origin, tables in layers
        for table, keys in tables.items()
        for key in keys
    }
    settings = _validate(models, [tables for _, tables in layers], origins)
    once = env.get("FLEETFLOW_ONCE", "").lower() not in {"", "0", "false", "no"}
    return Configuration({name: getattr(settings, name) for name in models}, origins, home, once)


def _validate(
    models: Mapping[str, type[BaseModel]],
    layers: list[dict[str, dict[str, Any]]],
    origins: Mapping[tuple[str, str], str],
) -> BaseSettings:
    class Layered(BaseSettings):
        model_config = SettingsConfigDict(extra="forbid")

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            # first wins: flags before environment before file; pydantic-settings merges the tables
            return tuple(_Layer(settings_cls, layer) for layer in reversed(layers))

    fields: dict[str, Any] = {name: (model, model()) for name, model in models.items()}
    try:
        return create_model("FleetflowSettings", __base__=Layered, **fields)()
    except ValidationError as error:
        first = error.errors()[0]
        table, key = str(first["loc"][0]), str(first["loc"][1]) if len(first["loc"]) > 1 else ""
        origin = origins.get((table, key), "the configuration")
        raise ConfigurationError(
            f"[{table}] {key} = {first['input']!r} (from {origin}): {first['msg']}",
            "`fleetflow config show` lists every setting with its meaning",
        ) from error


class _Layer(PydanticBaseSettingsSource):
    def __init__(self, settings_cls: type[BaseSettings], values: dict[str, Any]) -> None:
        super().__init__(settings_cls)
        self._values = values

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        return self._values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return self._values


def _from_file(path: Path, models: Mapping[str, type[BaseModel]]) -> dict[str, dict[str, Any]]:
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read as TOML: {error}", "correct the file") from error
    return _known(content, models, str(path))


def _from_environment(
    env: Mapping[str, str], models: Mapping[str, type[BaseModel]]
) -> dict[str, dict[str, Any]]:
    known = {
        f"{PREFIX}{table}_{key}".upper(): (table, key)
        for table, model in models.items()
        for key in model.model_fields
    }
    found: dict[str, dict[str, Any]] = {}
    for name, value in env.items():
        if not name.startswith(PREFIX) or name in TOP_LEVEL:
            continue
        if name not in known:
            raise ConfigurationError(
                f"the environment variable {name} is not a setting", _nearest(name, [*known, *TOP_LEVEL])
            )
        table, key = known[name]
        found.setdefault(table, {})[key] = value
    return found


def _known(
    content: Mapping[str, Any], models: Mapping[str, type[BaseModel]], origin: str
) -> dict[str, dict[str, Any]]:
    for table, keys in content.items():
        if table not in models:
            raise ConfigurationError(f"{origin}: unknown table [{table}]", _nearest(table, list(models)))
        if not isinstance(keys, dict):
            raise ConfigurationError(f"{origin}: {table} = {keys!r} must be a table", f"write [{table}]")
        for key in keys:
            if key not in models[table].model_fields:
                raise ConfigurationError(
                    f"{origin}: unknown setting [{table}] {key}",
                    _nearest(key, list(models[table].model_fields)),
                )
    return dict(content)


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else f"known: {', '.join(sorted(known))}"
