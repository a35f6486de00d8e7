"""Speeders: a detector of fleetflow over a sliding window of event time.

- `settings`: the table `[speed]`
- `geodesy`: distances on the earth
- `fixes`: a batch of pings as columns of numbers, grouped by vehicle
- `pending`: fixes whose windows are still open, per vehicle
- `odometer`: how far each vehicle had come when, and the speed over a window
- `tables`: tables as bytes, for state
- `detector`: decides who is speeding, and tells when that changes
- `jumps`: the rule position_jump
- `plugin`: the hooks
"""
