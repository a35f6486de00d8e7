"""The page /dashboard: the fleet on a map.

- `page`: one session's page, what happens when
- `figure`: the figure with its ground, dots and pointers
- `dots`: which vehicles a session is sent, as dots or as hexagons
- `camera`: where the window looks
- `filters`: which vehicles are shown, chosen by counters that are buttons
- `search`: finding a VIN
- `notice`: what must be said over the map
- `panel`: all about the selected vehicle
- `tip`: what is told of the vehicle under the pointer
- `trail`: where the selected vehicle came from
- `ground`: the map's ground where no server offers tiles
"""
