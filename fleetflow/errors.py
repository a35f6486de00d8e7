"""The one base class of everything fleetflow raises on purpose."""


class FleetflowError(Exception):
    """A set-up that cannot work, told to the person who can change it.

    `message` says what was found and what was expected; `hint` says what to do. The command line prints
    both and ends with `exit_code`; a traceback is shown only with `--debug`. Bad input data is never an
    error of this kind: it becomes a reject (see `fleetflow.contracts.payload.Reject`).
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message


class ConfigurationError(FleetflowError):
    """A setting is unknown, has the wrong type, or contradicts another one."""


class PluginError(FleetflowError):
    """A plugin is missing, claims what another one claims, or could not be loaded."""


class StoreError(FleetflowError):
    """A store (recovery, vehicles, quarantine, ledger) is missing, locked, damaged or of a newer version."""
