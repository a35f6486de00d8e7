"""Speeders: a detector of fleetflow over a sliding window of event time.

- `settings`: the table `[speed]`
- `pending`: fixes whose windows are still open, per vehicle
- `odometer`: how far each vehicle had come when, and the speed over a window
- `detector`: decides who is speeding, and tells when that changes
- `jumps`: the rule position_jump
- `plugin`: the hooks
"""
