# SPDX-License-Identifier: Apache-2.0
"""What is typed at a console, and when."""

import os
import select
import tempfile
import threading
import unittest

from console import Console

LINES_MAX = 400


class Nudges(unittest.TestCase):
    """U-Boot looks once whether a key was pressed, and talks until then."""

    def setUp(self):
        said_read, self.said = os.pipe()
        self.typed, typed_write = os.pipe()
        log = tempfile.TemporaryFile()
        self.addCleanup(log.close)
        for end in (said_read, self.said, self.typed, typed_write):
            self.addCleanup(os.close, end)
        self.console = Console(said_read, typed_write, log)

    def talk_until_a_key(self):
        """A line every 5 ms; then the prompt, if there was a key."""
        for _ in range(LINES_MAX):
            os.write(self.said, b"talk\n")
            if select.select([self.typed], [], [], 0.005)[0]:
                os.write(self.said, b"=> ")
                return

    def test_a_key_is_pressed_while_the_board_talks_without_a_pause(self):
        talker = threading.Thread(target=self.talk_until_a_key)
        talker.start()
        self.addCleanup(talker.join)
        self.console.expect("^=> ", seconds=5, nudge=" ")

    def test_nothing_is_typed_that_nobody_asked_for(self):
        os.write(self.said, b"talk\n=> ")
        self.console.expect("^=> ", seconds=5)
        self.assertEqual(select.select([self.typed], [], [], 0)[0], [])
