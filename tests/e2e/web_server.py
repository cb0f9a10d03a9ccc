# SPDX-License-Identifier: Apache-2.0
"""Real web servers for the tests: nginx on loopback, and our own misbehaving one."""

import http.server
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent

NGINX_CONF = """
daemon off;
{user}
worker_processes 1;
pid {work}/nginx.pid;
error_log {work}/error.log;
events {{ worker_connections 64; }}
http {{
    log_format counted '$request_method $uri $status $body_bytes_sent "$http_range" '
                       '$server_protocol';
    access_log {work}/access.log counted;
    client_body_temp_path {work}/t1; proxy_temp_path {work}/t2; fastcgi_temp_path {work}/t3;
    uwsgi_temp_path {work}/t4; scgi_temp_path {work}/t5;
    default_type application/octet-stream;
    sendfile on;
    limit_conn_zone $server_addr zone=server:1m;
    server {{
        listen 127.0.0.1:{port}{tls};
        root {root};
        {limit}
        {certificates}
        {extra}
    }}
}}
"""


def free_port():
    """A port on loopback nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, process, seconds=10):
    """Returns when somebody listens; fails when the process ended first."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        with socket.socket() as probe:
            probe.settimeout(0.2)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"nobody listens on port {port}")


def stop(process):
    """Ends a child of ours and reaps it."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Nginx:
    """nginx serving one folder on loopback, as an ordinary user, until stop(). `extra` are lines of
    its configuration for the server; `tls` is (certificate, key), with `http2` also offered."""

    def __init__(self, root, work, rate=None, tls=None, http2=False, extra="", port=None):
        self.root = pathlib.Path(root)
        self.work = pathlib.Path(work)
        self.work.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        conf = self.work / "nginx.conf"
        conf.write_text(NGINX_CONF.format(
            work=self.work, port=self.port, root=self.root,
            # The worker of a root nginx would be nobody, who cannot read a test's folder.
            user="user root;" if os.geteuid() == 0 else "",
            tls=" ssl http2" if tls and http2 else " ssl" if tls else "",
            extra=extra,
            limit=f"limit_rate {rate};" if rate else "",
            certificates=(f"ssl_certificate {tls[0]}; ssl_certificate_key {tls[1]};"
                          if tls else "")))
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        with open(self.work / "stderr.log", "wb") as log:
            self.process = subprocess.Popen(
                [program, "-p", str(self.work), "-e", str(self.work / "error.log"),
                 "-c", str(conf)], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for_port(self.port, self.process)

    def requests(self):
        """One (method, uri, status, bytes, range) for each request answered so far."""
        rows = []
        log = self.work / "access.log"
        for line in log.read_text().splitlines() if log.exists() else []:
            head, _, rest = line.partition(' "')
            method, uri, status, count = head.split(" ")
            rows.append((method, uri, int(status), int(count), rest.partition('"')[0]))
        return rows

    def protocols(self):
        """The versions of HTTP that were spoken."""
        log = self.work / "access.log"
        return {line.split(" ")[-1] for line in log.read_text().splitlines()}

    def stop(self):
        """Ends the server."""
        stop(self.process)


class BadServer:
    """bad_server.py in one of its modes, until stop()."""

    def __init__(self, root, mode, work, *options):
        self.log = pathlib.Path(work) / f"bad-{free_port()}.log"
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "bad_server.py"), "--dir", str(root), "--port", "0",
             "--mode", mode, "--log", str(self.log), *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}"

    def requests(self):
        """What was asked, as the server wrote it down."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [json.loads(line) for line in lines]

    def stop(self):
        """Ends the server."""
        stop(self.process)
        self.process.stdin.close()
        self.process.stdout.close()


PIECE = 4096


class _CountingHandler(http.server.BaseHTTPRequestHandler):
    """Answers single ranges of one file in small pieces, telling the server of each."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):  # pylint: disable=invalid-name
        """One range, or the whole file."""
        with open(self.server.file(self.path), "rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            first, last = 0, size - 1
            wanted = self.headers.get("Range")
            if wanted:
                begin, _, end = wanted.removeprefix("bytes=").partition("-")
                first, last = int(begin), min(int(end or last), last)
            self.send_response(206 if wanted else 200)
            self.send_header("Content-Length", str(last - first + 1))
            if wanted:
                self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
            self.end_headers()
            try:
                self.send_pieces(stream, first, last + 1)
            except OSError:
                self.close_connection = True

    def send_pieces(self, stream, at, end):
        """Each ends where a block of the file ends."""
        stream.seek(at)
        while at < end:
            piece = stream.read(min(PIECE - at % PIECE, end - at))
            self.wfile.write(piece)
            self.server.count(at, len(piece))
            at += len(piece)

    def log_message(self, *_):  # pylint: disable=arguments-differ
        """Quiet."""


class CountingServer(http.server.ThreadingHTTPServer):
    """A server that calls `hook(total)` after each piece of a body it sent; an OSError from there
    ends the connection."""

    daemon_threads = True

    def __init__(self, root, hook=lambda total: None):
        super().__init__(("127.0.0.1", 0), _CountingHandler)
        # What was sent is to be close to what the client has taken, not in a buffer of ours.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)
        self.root = pathlib.Path(root)
        self.hook = hook
        self.total = 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)
        self.thread.start()

    def file(self, url_path):
        """What a request asks for."""
        return self.root / url_path.lstrip("/")

    def count(self, _at, length):
        """One more piece went out, of these bytes of the file."""
        self.total += length
        self.hook(self.total)

    def handle_error(self, request, client_address):
        """A client that was killed resets its connection: nothing to be told."""

    def stop(self):
        """Ends the server."""
        self.shutdown()
        self.server_close()
        self.thread.join()


def get(url, seconds=5):
    """(status, body) of a GET, errors of HTTP included."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=seconds) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
