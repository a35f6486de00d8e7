"""A web service with a fixed history: `pages.py PORT_FILE PINGS VEHICLES`.

Answers as beta does, until terminated. Every answer is a slice of one text that was made before, so that the
service costs as little as Python allows.
"""

import sys
import threading
from array import array
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

port_file, count, vehicles = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
ends = array("q")
parts = bytearray()
for number in range(count):
    parts += (
        b'{"vin":"5FB%014d","latitude":%.7f,"longitude":%.7f,"time":%d.25,"sequence":%d,"obd_codes":[]},'
        % (
            number % vehicles,
            40 + number % 977 / 1e3,
            -90 + number % 991 / 1e3,
            1_750_000_000 + number // 10,
            number,
        )
    )
    ends.append(len(parts))
text = memoryview(bytes(parts))


class Service(BaseHTTPRequestHandler):
    """Answers with the pings after `since`, at most `limit`."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self):
        query = parse_qs(urlsplit(self.path).query)
        first = int(query["since"][0]) + 1
        last = min(count, first + int(query["limit"][0]))
        body = text[ends[first - 1] if first else 0 : ends[last - 1] - 1] if first < last else b""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) + 2))
        self.end_headers()
        self.wfile.write(b"[")
        self.wfile.write(body)
        self.wfile.write(b"]")

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
part = Path(port_file + ".part")
part.write_text(str(server.server_port))
part.rename(port_file)
threading.Event().wait()
