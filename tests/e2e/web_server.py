# SPDX-License-Identifier: Apache-2.0
"""Real web servers for the tests: nginx on loopback, and our own misbehaving one."""

import json
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent

NGINX_CONF = """
daemon off;
worker_processes 1;
pid {work}/nginx.pid;
error_log {work}/error.log;
events {{ worker_connections 64; }}
http {{
    log_format counted '$request_method $uri $status $body_bytes_sent "$http_range"';
    access_log {work}/access.log counted;
    client_body_temp_path {work}/t1; proxy_temp_path {work}/t2; fastcgi_temp_path {work}/t3;
    uwsgi_temp_path {work}/t4; scgi_temp_path {work}/t5;
    default_type application/octet-stream;
    sendfile on;
    server {{
        listen 127.0.0.1:{port}{tls};
        root {root};
        {limit}
        {certificates}
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
    """nginx serving one folder on loopback, as an ordinary user, until stop()."""

    def __init__(self, root, work, rate=None, tls=None):
        self.root = pathlib.Path(root)
        self.work = pathlib.Path(work)
        self.work.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        conf = self.work / "nginx.conf"
        conf.write_text(NGINX_CONF.format(
            work=self.work, port=self.port, root=self.root,
            tls=" ssl" if tls else "",
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
            head, _, wanted = line.partition(' "')
            method, uri, status, count = head.split(" ")
            rows.append((method, uri, int(status), int(count), wanted.rstrip('"')))
        return rows

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


def get(url, seconds=5):
    """(status, body) of a GET, errors of HTTP included."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=seconds) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
