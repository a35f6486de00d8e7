"""Areas: a detector of fleetflow for who enters and leaves.

- `settings`: the table `[areas]`
- `area`: one area, made of parts that do not cross the antimeridian
- `geojson`: areas out of a GeoJSON file
- `grid`: where there may be an area at all
- `index`: which positions lie in which areas
- `file`: the areas as they are now, in a file that may change
- `detector`: tells when a vehicle enters or leaves
- `commands`: `fleetflow areas`
- `plugin`: the hooks
"""
