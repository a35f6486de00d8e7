"""The quarantine: every record that is not a valid ping, with the rule it broke and its raw bytes."""
