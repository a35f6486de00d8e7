"""Engine and body codes in words: a title and a severity for each OBD code.

from fleetflow.codes import Codes

codes = Codes.of(configuration)
codes.title("P0171")     # "Mixture too lean (bank 1)", or None when the code is not known
codes.severity("P0171")  # "info", "warning" or "critical"
codes.describe("P0171")  # "P0171 Mixture too lean (bank 1)"; "P0171" alone when it is not known
"""

from fleetflow.codes.codes import Codes, CodesSettings
from fleetflow.codes.severity import Severity, severity_of

__all__ = ["Codes", "CodesSettings", "Severity", "severity_of"]
