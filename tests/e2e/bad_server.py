#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A web server that misbehaves on purpose, on loopback only.

usage: bad_server.py --dir DIR [--port 0] [--mode MODE] [--log FILE] [--lifetime SECONDS]

Prints its port on its first line. Ends when its standard input ends, or after --lifetime seconds.
Each request becomes one JSON line in --log when its answer is over: its number `n`, connection,
method, path, range, if_range, if_none_match, authorization and client_cert (present or not),
status, sent (body bytes given to the kernel).

MODE is a list of words and key=value pairs with commas between them; they add up.

  ok                  ranges, strong entity tags, kept-alive connections
  first=K  from=K     misbehave in the first K requests only; from request K on only
  WORD@K  KEY=V@K     this one in the first K requests only

  no-range            answers 200 with the whole file to every request
  chunked             no-range, without a Content-Length; trailers=1 adds some behind the body
  close               no-range, without a Content-Length; the end of the connection ends the body
  wrong-range         206 whose Content-Range is one byte off; wrong-range=first: only where it
                      begins; =last: only where it ends; =early: ends one byte early
  no-content-range    206 without one; star: with "*" for the size
  long=N  short=N     N body bytes more, or fewer, than belong there; Content-Length agrees
  gzip                Content-Encoding: gzip (in name only)
  multipart           Content-Type: multipart/byteranges
  no-etag  weak-etag
  changed=N           after N requests the bytes of the file and its tag are others; grow=M: and it
                      is M bytes longer
  bare-416            416 without a Content-Range

  drop-after=N        closes after N body bytes; reset: with a reset
  stall-after=N       sends nothing more after N body bytes, but stays connected
  silent              takes the request and does not answer; hang-up: and closes
  slow=R              R bytes a second in each answer; throttle=R: in all answers together
  one                 while one connection is open, others are closed at once

  status=S            answers S; retry-after=SECONDS or +SECONDS (as a date)
  redirect=URL        code=S (302); loop: to the same place; chain=N: N times before the file
  signed=K            redirects to a link that is good for K requests, then answers 403
  no-location         a redirect without one
  login=USER:PASSWORD 401 without it
  interim             a 103 with misleading fields goes before the answer
  huge-head           a head without end
  not-http            something else than HTTP
  tls cert=F key=F    client-ca=F: asks for a client certificate
"""

import argparse
import base64
import email.utils
import hashlib
import json
import os
import pathlib
import re
import select
import socket
import struct
import sys
import threading
import time

PIECE = 16 * 1024
HEAD_MAX = 64 * 1024


class Gone(Exception):
    """The connection is to be closed, by the client's doing or by ours."""


class Modes:
    """The words of --mode."""

    def __init__(self, text):
        self.words = {}
        self.first = {}  # key -> number of requests it is for
        for word in text.split(","):
            limit = re.search(r"@(\d+)$", word)
            key, _, value = word[:limit.start() if limit else None].partition("=")
            self.words[key] = value if value else "1"
            if limit:
                self.first[key] = int(limit.group(1))

    def number(self, key, fallback=0):
        """The value of a key as a number."""
        return int(self.words.get(key, fallback))

    def text(self, key):
        """The value of a key, or nothing."""
        return self.words.get(key)

    def active(self, key, number):
        """The key was given, and request `number` is one to misbehave in."""
        if key not in self.words:
            return False
        last = self.first.get(key, self.number("first", number))
        return self.number("from", 1) <= number <= last


class Bucket:
    """Hands out bytes at a rate, to one answer or to all."""

    def __init__(self, rate):
        self.rate = rate
        self.lock = threading.Lock()
        self.free_at = 0.0

    def take(self, count):
        """Waits until `count` bytes may go."""
        if not self.rate:
            return
        with self.lock:
            now = time.monotonic()
            self.free_at = max(self.free_at, now) + count / self.rate
            wait = self.free_at - now
        time.sleep(wait)

    def piece(self):
        """Small enough that the rate is smooth."""
        return max(1, min(PIECE, self.rate // 20)) if self.rate else PIECE


class Server:
    """What all connections share."""

    def __init__(self, args):
        self.modes = Modes(args.mode)
        self.root = pathlib.Path(args.dir).resolve()
        self.log = open(args.log, "a", encoding="utf-8") if args.log else None
        self.lock = threading.Lock()
        self.requests = 0
        self.connections = 0
        self.open = 0
        self.signed = {}
        self.throttle = Bucket(self.modes.number("throttle"))
        self.listener = socket.create_server(("127.0.0.1", args.port), backlog=64)
        self.live = {}  # thread -> its connection, until both end
        self.stopping = False
        self.tls = self.tls_context() if self.modes.text("tls") else None

    def tls_context(self):
        """The server's side of TLS."""
        import ssl  # slow to load, and rarely needed
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.modes.text("cert"), self.modes.text("key"))
        if self.modes.text("client-ca"):
            context.verify_mode = ssl.CERT_OPTIONAL
            context.load_verify_locations(self.modes.text("client-ca"))
        return context

    def next_request(self):
        """The number of a request that came in, from 1."""
        with self.lock:
            self.requests += 1
            return self.requests

    def note(self, **fields):
        """One line of the log."""
        if self.log:
            with self.lock:
                print(json.dumps(fields), file=self.log, flush=True)

    def serve(self):
        """Takes connections until the listener is closed."""
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections += 1
                number = self.connections
                refused = self.modes.text("one") and self.open > 0
                self.open += 0 if refused else 1
            if refused:
                self.note(connection=number, refused=True)
                conn.close()
                continue
            threading.Thread(target=self.handle, args=(conn, number), daemon=True).start()

    def handle(self, conn, number):
        """One connection, to its end."""
        try:
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                conn = self.tls.wrap_socket(conn, server_side=True)
            connection = Connection(self, conn, number)
            with self.lock:
                self.live[threading.current_thread()] = connection
            while connection.request():
                pass
        except (Gone, OSError):
            pass
        finally:
            conn.close()
            with self.lock:
                self.live.pop(threading.current_thread(), None)
                self.open -= 1

    def stop(self):
        """Ends. Answers under way get a second, so that they come into the log."""
        self.stopping = True
        self.listener.close()
        end = time.monotonic() + 1
        for only_idle in (True, False):
            with self.lock:
                live = dict(self.live)
            for thread, connection in live.items():
                if connection.idle or not only_idle:
                    connection.cut()
            for thread in live:
                thread.join(max(0.1, end - time.monotonic()))


class Connection:
    """Requests and answers over one connection, one after the other."""

    def __init__(self, server, conn, number):
        self.server = server
        self.modes = server.modes
        self.conn = conn
        self.number = number
        self.rest = b""
        self.idle = True
        self.n = 0
        self.sent = 0
        self.status = 0

    def cut(self):
        """Ends the connection from another thread."""
        try:
            self.conn.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def on(self, key):
        """To misbehave this way in this request."""
        return self.modes.active(key, self.n)

    def request(self):
        """Reads one request and answers it. False at the end of the connection."""
        self.idle = True
        if self.server.stopping:
            return False
        while b"\r\n\r\n" not in self.rest:
            data = self.conn.recv(HEAD_MAX)
            if not data or len(self.rest) > HEAD_MAX:
                return False
            self.rest += data
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        method, path, _ = lines[0].split(" ")
        fields = {name.strip().lower(): value.strip()
                  for name, _, value in (line.partition(":") for line in lines[1:])}
        self.idle = False
        self.n = self.server.next_request()
        self.sent = self.status = 0
        try:
            self.answer(path, fields)
        finally:
            certificate = self.server.tls and self.conn.getpeercert(True)
            self.server.note(
                n=self.n, connection=self.number, method=method, path=path,
                range=fields.get("range"), if_range=fields.get("if-range"),
                if_none_match=fields.get("if-none-match"),
                accept_encoding=fields.get("accept-encoding"), user_agent=fields.get("user-agent"),
                authorization="authorization" in fields, client_cert=bool(certificate),
                status=self.status, sent=self.sent)
        return True

    # --- what is answered

    def answer(self, path, fields):
        """Chooses among the answers."""
        if self.on("silent"):
            self.wait_for_client()
        if self.on("hang-up"):
            raise Gone
        if self.on("not-http"):
            self.conn.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n" + bytes(200))
            raise Gone
        if self.on("interim"):
            self.conn.sendall(b"HTTP/1.1 103 Early Hints\r\nContent-Range: bytes 7-8/9\r\n"
                              b"Content-Length: 2\r\nETag: \"early\"\r\n\r\n")
        if self.on("huge-head"):
            self.huge_head()
        if not self.refuse(fields) and not self.redirect(path):
            self.send_file(path, fields)

    def refuse(self, fields):
        """Answers with a status alone, where the mode says so."""
        login = self.modes.text("login")
        if login:
            wanted = "Basic " + base64.b64encode(login.encode()).decode()
            if fields.get("authorization") != wanted:
                self.plain(401, [("WWW-Authenticate", 'Basic realm="r"')])
                return True
        if not self.on("status"):
            return False
        extra = []
        later = self.modes.text("retry-after")
        if later:
            now = time.time()
            extra.append(("Date", email.utils.formatdate(now, usegmt=True)))
            if later.startswith("+"):
                later = email.utils.formatdate(now + int(later[1:]), usegmt=True)
            extra.append(("Retry-After", later))
        self.plain(self.modes.number("status"), extra)
        return True

    def redirect(self, path):
        """Sends the client elsewhere, where the mode says so."""
        target = None
        if self.on("redirect"):
            target = self.modes.text("redirect")
        elif self.on("loop"):
            target = path
        elif self.on("chain"):
            hop, name = self.hop(path)
            if hop < self.modes.number("chain"):
                target = f"/hop-{hop + 1}/{name}"
        elif self.on("signed"):
            return self.redirect_signed(path)
        if target is None and not self.on("no-location"):
            return False
        self.plain(self.modes.number("code", 302), [("Location", target)] if target else [])
        return True

    @staticmethod
    def hop(path):
        """The number in /hop-N/NAME and the name; 0 elsewhere."""
        parts = path.strip("/").split("/")
        if parts[0].startswith("hop-"):
            return int(parts[0][4:]), parts[1]
        return 0, parts[-1]

    def redirect_signed(self, path):
        """Links that expire after some requests."""
        name, _, signature = path.partition("?sig=")
        with self.server.lock:
            if not signature:
                signature = str(len(self.server.signed) + 1)
                self.server.signed[signature] = self.modes.number("signed")
                answer = (302, [("Location", f"{name}?sig={signature}")])
            elif self.server.signed.get(signature, 0) < 1:
                answer = (403, [])
            else:
                self.server.signed[signature] -= 1
                return False
        self.plain(*answer)
        return True

    def file_bytes(self, path):
        """What the file holds for this request, or nothing."""
        name = self.hop(path.partition("?")[0])[1]
        file = (self.server.root / name).resolve()
        if self.server.root not in file.parents or not file.is_file():
            return None
        data = file.read_bytes()
        if "changed" in self.modes.words and self.n > self.modes.number("changed"):
            data = bytes(b ^ 0x55 for b in data) + bytes(self.modes.number("grow"))
        return data

    def send_file(self, path, fields):
        """The file or the range of it that was asked for."""
        data = self.file_bytes(path)
        if data is None:
            self.plain(404)
            return
        tag = '"' + hashlib.sha256(data).hexdigest()[:16] + '"'
        head = []
        if not self.on("no-etag"):
            head.append(("ETag", "W/" + tag if self.on("weak-etag") else tag))
        if fields.get("if-none-match") == tag:
            self.send_head(304, head)
            return
        asked = fields.get("range", "")
        whole = (any(self.on(word) for word in ("no-range", "chunked", "close")) or
                 fields.get("if-range", tag) != tag or not asked.startswith("bytes="))
        if whole:
            self.send_body(200, head, data)
            return
        first, _, last = asked[len("bytes="):].partition("-")
        first = int(first)
        last = min(int(last) if last else len(data) - 1, len(data) - 1)
        if first >= len(data):
            self.plain(416, [] if self.on("bare-416")
                       else [("Content-Range", f"bytes */{len(data)}")])
            return
        off = {"1": (1, 1), "first": (1, 0), "last": (0, 1), "early": (0, -1),
               "none": (0, 0)}[
            self.modes.text("wrong-range") if self.on("wrong-range") else "none"]
        size = "*" if self.on("star") else len(data)
        if not self.on("no-content-range"):
            head.append(("Content-Range", f"bytes {first + off[0]}-{last + off[1]}/{size}"))
        self.send_body(206, head, data[first:last + 1])

    # --- how it is sent

    def send_head(self, status, fields):
        """Status line and fields."""
        self.status = status
        text = f"HTTP/1.1 {status} {'X' * 3}\r\n"
        text += "".join(f"{name}: {value}\r\n" for name, value in fields)
        self.conn.sendall(text.encode("latin-1") + b"\r\n")

    def plain(self, status, fields=()):
        """An answer that is not the file."""
        body = b"this is not the file\n"
        self.send_head(status, [("Content-Length", len(body)), *fields])
        self.conn.sendall(body)
        self.sent += len(body)

    def send_body(self, status, fields, body):
        """The file, with all that can go wrong with it."""
        if self.on("long"):
            body += bytes(self.modes.number("long"))
        if self.on("short"):
            body = body[:-self.modes.number("short")]
        if self.on("gzip"):
            fields.append(("Content-Encoding", "gzip"))
        if self.on("multipart"):
            fields.append(("Content-Type", "multipart/byteranges; boundary=b"))
        chunked = self.on("chunked")
        if chunked:
            fields.append(("Transfer-Encoding", "chunked"))
        elif self.on("close"):
            fields.append(("Connection", "close"))
        else:
            fields.append(("Content-Length", len(body)))
        self.send_head(status, fields)
        self.send_pieces(body, chunked)
        if chunked:
            trailers = b"ETag: \"late\"\r\nContent-Range: bytes 7-8/9\r\n"
            self.conn.sendall(b"0\r\n" + (trailers if self.on("trailers") else b"") + b"\r\n")
        if self.on("close"):
            raise Gone

    def send_pieces(self, body, chunked):
        """Body bytes at the rate of the mode, up to where it breaks off."""
        slow = Bucket(self.modes.number("slow") if self.on("slow") else 0)
        stop = len(body)
        for word in ("drop-after", "stall-after"):
            if self.on(word):
                stop = min(stop, self.modes.number(word))
        size = min(slow.piece(), self.server.throttle.piece())
        while self.sent < stop:
            piece = body[self.sent:min(self.sent + size, stop)]
            slow.take(len(piece))
            self.server.throttle.take(len(piece))
            self.conn.sendall(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
            self.sent += len(piece)
        if self.on("stall-after"):
            self.wait_for_client()
        if self.on("reset"):
            self.conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if self.on("drop-after"):
            raise Gone

    def huge_head(self):
        """Fields without end."""
        self.conn.sendall(b"HTTP/1.1 200 X\r\n")
        for number in range(10000):
            self.conn.sendall(f"X-{number}: {'y' * 1000}\r\n".encode())
        raise Gone

    def wait_for_client(self):
        """Sends nothing until the client has gone."""
        self.idle = True
        while True:
            select.select([self.conn], [], [])
            if not self.conn.recv(HEAD_MAX):
                raise Gone


def main():
    """Serves until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--mode", default="ok")
    parser.add_argument("--log")
    parser.add_argument("--lifetime", type=float, default=120)
    args = parser.parse_args()
    server = Server(args)
    end = time.monotonic() + args.lifetime
    threading.Thread(target=server.serve, daemon=True).start()
    print(server.listener.getsockname()[1], flush=True)
    while time.monotonic() < end:
        ready, _, _ = select.select([sys.stdin], [], [], end - time.monotonic())
        if ready and not os.read(sys.stdin.fileno(), 4096):
            break
    server.stop()
    os._exit(0)  # threads that still wait for a client end with the process


if __name__ == "__main__":
    main()
