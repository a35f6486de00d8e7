"""The pages that come with the dashboard; the page of /quality is added by a plugin of its own."""

PAGES = (
    ("dashboard", "Map", "fleetflow_ui.map.page", 10),
    ("vehicles", "Vehicles", "fleetflow_ui.vehicles_page", 20),
    ("jobs", "Jobs", "fleetflow_ui.jobs_page", 30),
)
"""URL, title, module with a function `build`, and order of the built-in pages."""
