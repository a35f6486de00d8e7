"""A toolkit for plugins that follow vehicles: batches of pings as columns of numbers, vehicle by vehicle.

- `fixes`: the usable pings of a batch, grouped by vehicle, each vehicle a number
- `runs`: stretches of equal keys, and columns that grow
- `sphere`: distances on the earth
- `travel`: how far vehicles came, without noise and jumps
- `tables`: columns as bytes, for state
"""
