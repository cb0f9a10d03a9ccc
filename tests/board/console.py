# SPDX-License-Identifier: Apache-2.0
"""A serial console: sends lines, waits for what is expected, keeps a log of all that was said."""

import os
import re
import select
import time


class ConsoleError(AssertionError):
    """What was waited for did not come; the message ends with the last lines of the console."""


class Console:
    """Both directions of a console, as file descriptors the caller keeps open.

    What arrives is taken in while something is waited for; `text` is what came since the last
    match.
    """

    def __init__(self, read_fd, write_fd, log):
        self.read_fd = read_fd
        self.write_fd = write_fd
        self.log = log
        self.text = ""

    def send(self, text):
        """Types `text` as it stands."""
        data = text.encode("latin-1")
        while data:
            data = data[os.write(self.write_fd, data):]

    def send_line(self, line):
        """Types a line."""
        self.send(line + "\r")

    def _take_in(self, seconds):
        """Adds what arrives within `seconds`; False when nothing did."""
        ready, _, _ = select.select([self.read_fd], [], [], max(seconds, 0))
        if not ready:
            return False
        data = os.read(self.read_fd, 65536)
        if not data:
            raise ConsoleError("the console was closed" + self._tail())
        self.log.write(data)
        self.log.flush()
        self.text += data.decode("latin-1").replace("\r", "")
        return True

    def listen(self, seconds):
        """Takes in what is said for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._take_in(left)

    def _tail(self):
        return ", behind:\n" + "\n".join(self.text.splitlines()[-30:])

    def expect(self, pattern, seconds=60, nudge=None):
        """Waits until the regular expression is found behind the last match, and returns the match
        of it; until then `nudge` is typed whenever something was said, and every 50 ms."""
        end = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.text, re.M)
            if found:
                self.text = self.text[found.end():]
                return found
            left = end - time.monotonic()
            if left <= 0:
                raise ConsoleError(f"no {pattern!r} within {seconds} s" + self._tail())
            self._take_in(min(left, 0.05) if nudge else left)
            if nudge:
                self.send(nudge)
                self.listen(0.01)
