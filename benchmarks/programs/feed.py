"""Feeds a job while it runs: lines into files, and pings into a web service.

    feed.py DIRECTORY PORT_FILE JOURNAL ALPHA_RATE BETA_RATE VEHICLES_PER_SOURCE SECONDS

Rates are pings per second; 0 turns a source off. The port of the service is written to PORT_FILE once all
files are there with one line each. The feeding begins when JOURNAL.go exists. At the end JOURNAL gets one
line per ping, also of the first ones: `vin,time,sent`, seconds since 1970; `sent` is when the line was in the
file, or the ping in the service. The service stays until it is terminated.
"""

import gc
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

TICK_S = 0.01
PINGS: list[bytes] = []


class Service(BaseHTTPRequestHandler):
    """Answers with the pings after `since`, at most `limit`."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self):
        query = parse_qs(urlsplit(self.path).query)
        first = int(query["since"][0]) + 1
        body = b"[" + b",".join(PINGS[first : first + int(query["limit"][0])]) + b"]"
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def main():
    """Feed for so long, and serve until terminated."""
    directory, port_file, journal, alpha_rate, beta_rate, vehicles, seconds = sys.argv[1:]
    alpha_rate, beta_rate, vehicles, seconds = (
        float(alpha_rate),
        float(beta_rate),
        int(vehicles),
        float(seconds),
    )
    sent = []
    last = {}

    def stamp(vin):
        # times of one vehicle rise strictly, also when the clock does not
        moment = round(max(time.time(), last.get(vin, 0.0) + 0.001), 3)
        last[vin] = moment
        return moment

    def to_alpha(number):
        vin = f"5FA{number:014d}"
        moment = stamp(vin)
        os.write(
            files[number], f"{vin},{40 + number / 1e4:.7f},{-90 + moment % 1:.7f},{moment:.3f}\n".encode()
        )
        sent.append((vin, moment, time.time()))

    def to_beta(number):
        vin = f"5FB{number:014d}"
        moment = stamp(vin)
        ping = {"vin": vin, "latitude": 40.5, "longitude": -90.5, "time": moment}
        ping |= {"sequence": len(PINGS), "obd_codes": []}
        PINGS.append(json.dumps(ping).encode())
        sent.append((vin, moment, time.time()))

    files = []
    if alpha_rate:
        for number in range(vehicles):
            path = Path(directory) / f"5FA{number:014d}.csv"
            files.append(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644))
            to_alpha(number)
    if beta_rate:
        for number in range(vehicles):
            to_beta(number)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    # a reader of the file must not see half of it
    part = Path(port_file + ".part")
    part.write_text(str(server.server_port))
    part.rename(port_file)
    while not Path(journal + ".go").exists():
        time.sleep(0.01)
    gc.disable()
    began = time.monotonic()
    done = [0, 0]
    while (passed := time.monotonic() - began) < seconds:
        for source, (rate, write) in enumerate(((alpha_rate, to_alpha), (beta_rate, to_beta))):
            due = int(passed * rate)
            for count in range(done[source], due):
                write(count % vehicles)
            done[source] = due
        time.sleep(TICK_S)
    part = Path(journal + ".part")
    with part.open("w") as file:
        file.writelines(f"{vin},{moment:.3f},{at:.6f}\n" for vin, moment, at in sent)
    part.rename(journal)
    threading.Event().wait()


main()
