# SPDX-License-Identifier: Apache-2.0
"""A stand-in for the Docker Engine on a Unix socket: strict about what it is asked, and answering
as https://docs.docker.com/reference/api/engine/ says."""

import http.server
import json
import os
import re
import socketserver
import threading


class _Handler(http.server.BaseHTTPRequestHandler):
    """GET /containers/NAME/json and nothing else."""

    def do_GET(self):  # pylint: disable=invalid-name
        """One container, or why not."""
        asked = re.fullmatch(r"(?:/v1\.\d+)?/containers/([A-Za-z0-9][\w.-]*)/json", self.path)
        if not asked:
            self.answer(404, {"message": "page not found"})
        elif asked[1] not in self.server.containers:
            self.answer(404, {"message": f"No such container: {asked[1]}"})
        else:
            self.answer(200, {"Id": "0" * 64, "Name": f"/{asked[1]}", "RestartCount": 0,
                              "State": self.server.containers[asked[1]]})

    def answer(self, status, content):
        """Sends it as the engine does."""
        body = json.dumps(content).encode() + b"\n"
        self.send_response(status)
        self.send_header("Api-Version", "1.51")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self):
        return "socket"

    def log_message(self, *args):  # pylint: disable=arguments-differ
        pass


class Engine(socketserver.ThreadingUnixStreamServer):
    """`containers`: {name: State}. Runs until stop()."""

    daemon_threads = True

    def __init__(self, path, containers):
        self.containers = containers
        super().__init__(str(path), _Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self):
        """Ends it; the socket is gone."""
        self.shutdown()
        self.server_close()
        os.unlink(self.server_address)


def state(status="running", health=None, pid=0):
    """A State."""
    found = {"Status": status, "Running": status == "running", "Paused": False,
             "Restarting": False, "OOMKilled": False, "Dead": False, "Pid": pid, "ExitCode": 0,
             "Error": "", "StartedAt": "2024-01-06T09:06:59.461876391Z",
             "FinishedAt": "0001-01-01T00:00:00Z"}
    if health is not None:
        found["Health"] = {"Status": health, "FailingStreak": 0, "Log": []}
    return found
