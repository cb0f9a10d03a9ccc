# SPDX-License-Identifier: Apache-2.0
"""A server of the FleetLock protocol, on loopback, with so many places in each group."""

import contextlib
import http.server
import json
import threading


class FleetLock:
    """Its `url`, who has a place (`held`), and what was asked (`asked`: path and id)."""

    def __init__(self, places=1):
        self.places = places
        self.held = {}
        self.asked = []
        self.works = True
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}/lock"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def answer(self, path, client):
        """(status, kind) of one request."""
        group, device = client["group"], client["id"]
        holders = self.held.setdefault(group, set())
        self.asked.append((path, device))
        if not self.works:
            return 500, "not_today"
        if path.endswith("/v1/steady-state"):
            holders.discard(device)
            return 200, ""
        if device not in holders and len(holders) >= self.places:
            return 409, "failed_lock_semaphore_full"
        holders.add(device)
        return 200, ""

    def count(self, name):
        """How often a path that ends so was asked for."""
        return sum(path.endswith(name) for path, _ in self.asked)

    def handler(self):
        """A class whose objects answer one request each."""
        lock = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """As the protocol says: POST, a header, JSON."""

            def do_POST(self):  # pylint: disable=invalid-name
                """Answers with what the lock says."""
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, kind = 400, "bad_request"
                if self.headers["fleet-lock-protocol"] == "true":
                    status, kind = lock.answer(self.path, json.loads(body)["client_params"])
                text = json.dumps({"kind": kind, "value": f"{kind} is why"}).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                with contextlib.suppress(ConnectionError):  # whoever asked is gone
                    self.wfile.write(text)

            def log_message(self, *_):
                """The test's output is its own."""

        return Handler

    def stop(self):
        """Ends it."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
