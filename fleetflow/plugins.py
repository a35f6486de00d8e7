"""The plugin manager: finds plugins, checks that they fit together, and calls their hooks."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import pluggy

from fleetflow import hookspecs
from fleetflow.errors import PluginError

if TYPE_CHECKING:
    from fleetflow.config import Configuration

GROUP = "fleetflow"
"""The entry-point group, and the name of the pluggy project."""

hookimpl = pluggy.HookimplMarker(GROUP)
"""Marks a function of a plugin as the implementation of a hook."""

BUILTIN = {
    "core": "fleetflow.builtin.core",
    "rules": "fleetflow.builtin.rules",
    "codes": "fleetflow.builtin.codes",
    "quarantine": "fleetflow.builtin.quarantine",
    "ledger": "fleetflow.builtin.ledger",
    "events": "fleetflow.builtin.events",
    "jobs": "fleetflow.builtin.jobs",
}
"""The built-in plugins: registered in the same way as everybody else's."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """What is known of one plugin, whether it works or not.

    `state` is `active`, `disabled` or `failed`; `problem` says why it failed. `distribution` and
    `version` are those of the package it came with, `origin` is where its module was found.
    """

    name: str
    distribution: str
    version: str
    origin: str
    state: str
    hooks: tuple[str, ...]
    problem: str = ""


class Plugins:
    """All plugins of this process.

    A plugin that fails on import does not stop the others from being listed; it stops a job from being
    built (`require_sound`), because a job must not silently run without a part that is installed.
    """

    def __init__(self, manager: pluggy.PluginManager, infos: Sequence[PluginInfo]) -> None:
        self._manager = manager
        self.infos = tuple(infos)

    def require_sound(self) -> None:
        """Raise PluginError when an installed plugin could not be loaded."""
        for info in self.infos:
            if info.state == "failed":
                raise PluginError(
                    f'plugin "{info.name}" ({info.distribution} {info.version}) could not be loaded: '
                    f"{info.problem}",
                    f"reinstall or remove {info.distribution}, or disable it: "
                    f'[plugins] disabled = ["{info.name}"], or FLEETFLOW_PLUGINS_DISABLED={info.name}',
                )

    def _answers(self, hook: str, arguments: dict[str, Any]) -> list[tuple[str, Any]]:
        answers = []
        caller = getattr(self._manager.hook, hook)
        for implementation in caller.get_hookimpls():
            wanted = {name: arguments[name] for name in implementation.argnames}
            try:
                answer = implementation.function(**wanted)
            except PluginError:
                raise
            except Exception as error:
                if not _is_bug(error):
                    raise
                raise PluginError(
                    f'plugin "{implementation.plugin_name}" failed in {hook}: '
                    f"{type(error).__name__}: {error}",
                    f"this is a defect of the plugin; disable it with "
                    f"FLEETFLOW_PLUGINS_DISABLED={implementation.plugin_name}, or run with --debug",
                ) from error
            if answer is not None:
                answers.append((implementation.plugin_name, answer))
        return answers

    def gather(
        self, hook: str, what: str, key: Callable[[T], str], configuration: Configuration | None = None
    ) -> list[T]:
        """Return the things of all plugins' answers to `hook`, refusing two of one name."""
        arguments = {} if configuration is None else {"configuration": configuration}
        things: list[T] = []
        owner: dict[str, str] = {}
        for plugin, answer in self._answers(hook, arguments):
            for thing in answer:
                name = key(thing)
                if name in owner:
                    raise PluginError(
                        f'{what} "{name}" is claimed by plugin "{owner[name]}" and by plugin "{plugin}"',
                        f"disable one of them: FLEETFLOW_PLUGINS_DISABLED={plugin}",
                    )
                owner[name] = plugin
                things.append(thing)
        return things

    def mapping(self, hook: str, what: str) -> dict[str, Any]:
        """Like `gather`, for hooks that answer with a mapping of names to things."""
        pairs: list[tuple[str, Any]] = []
        # pluggy hands the answers out last registered first; settings are shown in order of registration
        for plugin, answer in reversed(self._answers(hook, {})):
            pairs.extend((name, (plugin, value)) for name, value in answer.items())
        result: dict[str, Any] = {}
        owner: dict[str, str] = {}
        for name, (plugin, value) in pairs:
            if name in owner:
                raise PluginError(
                    f'{what} "{name}" is claimed by plugin "{owner[name]}" and by plugin "{plugin}"',
                    f"disable one of them: FLEETFLOW_PLUGINS_DISABLED={plugin}",
                )
            owner[name] = plugin
            result[name] = value
        return result

    def only(self, hook: str, what: str, remedy: str, configuration: Configuration) -> Any:
        """Return the one answer to `hook`; none or two are refused."""
        answer = self.at_most_one(hook, what, configuration)
        if answer is None:
            raise PluginError(f"no installed plugin provides {what}, one is needed", remedy)
        return answer

    def at_most_one(self, hook: str, what: str, configuration: Configuration) -> Any | None:
        """Return the one answer to `hook`, None when no plugin gives one; two are refused."""
        answers = self._answers(hook, {"configuration": configuration})
        if len(answers) > 1:
            names = " and ".join(f'"{name}"' for name, _ in answers)
            raise PluginError(
                f"{what} is provided by the plugins {names}, exactly one may",
                f"disable all but one: FLEETFLOW_PLUGINS_DISABLED={answers[0][0]}",
            )
        return answers[0][1] if answers else None


def _is_bug(error: Exception) -> bool:
    from fleetflow.errors import FleetflowError  # noqa: PLC0415 - the base class of PluginError

    return not isinstance(error, FleetflowError)


def only_these(given: Iterable[tuple[str, Any]]) -> Plugins:
    """Return a manager of just the given (name, plugin) pairs: nothing installed, nothing built-in."""
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    for name, plugin in given:
        manager.register(plugin, name=name)
    return Plugins(manager, ())


def load(disabled: Iterable[str] = (), extra: Iterable[tuple[str, Any]] = ()) -> Plugins:
    """Find and load all plugins: built-in, installed, and `extra` (name, plugin), as tests use them."""
    off = set(disabled)
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    infos: list[PluginInfo] = []
    seen: dict[str, str] = {}

    def register(name: str, distribution: str, version: str, get: Callable[[], Any]) -> None:
        state: str
        hooks: tuple[str, ...]
        if name in seen:
            state, hooks, origin = "failed", (), ""
            problem = f'the name "{name}" is already taken by {seen[name]}'
        elif name in off:
            state, hooks, origin, problem = "disabled", (), "", ""
        else:
            state, hooks, origin, problem = _register(manager, name, get)
        seen.setdefault(name, distribution)
        infos.append(PluginInfo(name, distribution, version, origin, state, hooks, problem))

    own = importlib.metadata.version("fleetflow") if _is_installed("fleetflow") else _own_version()
    for name, module in BUILTIN.items():
        register(name, "fleetflow", own, partial(importlib.import_module, module))
    for entry in sorted(importlib.metadata.entry_points(group=GROUP), key=lambda entry: entry.name):
        distribution = entry.dist.name if entry.dist else "unknown"
        version = entry.dist.version if entry.dist else "unknown"
        register(entry.name, distribution, version, entry.load)
    for name, plugin in extra:
        register(name, "(given by the program)", "", partial(_same, plugin))

    unknown = off - {info.name for info in infos}
    if unknown:
        raise PluginError(
            f"disabled plugins that are not installed: {', '.join(sorted(unknown))}",
            f"the installed ones are: {', '.join(info.name for info in infos)}",
        )
    return Plugins(manager, infos)


def _register(
    manager: pluggy.PluginManager, name: str, get: Callable[[], Any]
) -> tuple[str, tuple[str, ...], str, str]:
    """Import and register one plugin; returns (state, hooks, origin, problem)."""
    try:
        plugin = get()
        manager.register(plugin, name=name)
    # whatever a third party's module raises on import is reported under its name, never as a traceback
    except Exception as error:
        if manager.get_plugin(name) is not None:
            manager.unregister(name=name)
        return "failed", (), "", f"{type(error).__name__}: {error}"
    callers = manager.get_hookcallers(plugin) or []
    unspecified = [caller.name for caller in callers if not caller.has_spec()]
    hooks = tuple(sorted(caller.name for caller in callers if caller.has_spec()))
    origin = str(getattr(plugin, "__file__", "") or type(plugin).__module__)
    if unspecified:
        manager.unregister(name=name)
        return (
            "failed",
            (),
            origin,
            f"it implements {', '.join(unspecified)}, unknown to this fleetflow; a newer one may know it",
        )
    return "active", hooks, origin, ""


def _same(plugin: Any) -> Any:
    return plugin


def _is_installed(distribution: str) -> bool:
    try:
        importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _own_version() -> str:
    from fleetflow import __version__  # noqa: PLC0415 - __init__ must stay free of imports of its own

    return __version__
