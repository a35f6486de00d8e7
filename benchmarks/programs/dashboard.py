"""Serve the dashboard like `fleetflow ui`, but give up ended sessions after one second instead of 15.

    python dashboard.py PORT

So that what 200 openings leave behind can be seen without waiting for each of them.
"""

import sys

from fleetflow_ui import basemap
from fleetflow_ui.context import make
from fleetflow_ui.server import listen, prepare

from fleetflow import application

plugins, configuration = application.load()
context = make(plugins, configuration, tiles=True)
server = listen(
    context,
    "127.0.0.1",
    int(sys.argv[1]),
    basemap.routes(),
    # long enough for a page to open its websocket
    {"unused_session_lifetime_milliseconds": 1000, "check_unused_sessions_milliseconds": 100},
)
prepare()
try:
    server.run_until_shutdown()
finally:
    context.reader.stop()
    context.shared.close()
