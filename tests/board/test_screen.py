# SPDX-License-Identifier: Apache-2.0
"""What is left of what was drawn: no board is started."""

import unittest

from screen import settled


class Screen(unittest.TestCase):
    """Text as a serial console has it."""

    def test_plain_text_stays_as_it_is(self):
        for text in ("", "one", "one\ntwo\n", "\n\n  three\n"):
            self.assertEqual(settled(text), text)

    def test_line_ends_of_a_console_are_line_feeds(self):
        self.assertEqual(settled("one\r\ntwo\r\n"), "one\ntwo\n")

    def test_of_a_line_that_is_redrawn_the_last_state_is_left(self):
        drawn = "before\r\n\rcheck  [##..]  50 %  \rcheck  [####]  100 %\r\nafter\r\n"
        self.assertEqual(settled(drawn), "before\ncheck  [####]  100 %\nafter\n")

    def test_blanks_cover_what_was_longer(self):
        self.assertEqual(settled("\r100 % and a while\r" + "done".ljust(17) + "\r\n"), "done\n")
        self.assertEqual(settled("longer\rsho"), "shoger")

    def test_a_table_that_is_redrawn_is_there_once(self):
        first = "CHECK  STATE\x1b[K\r\ntv     waiting\x1b[K\r\nlist   waiting\x1b[K\r\n"
        second = "\x1b[3ACHECK  STATE\x1b[K\r\ntv     good\x1b[K\r\nlist   waiting\x1b[K\r\n"
        third = "\x1b[3ACHECK  STATE\x1b[K\r\ntv     good\x1b[K\r\nlist   bad\x1b[K\r\n"
        self.assertEqual(settled("$ health\r\n" + first + second + third + "bad\r\n"),
                         "$ health\nCHECK  STATE\ntv     good\nlist   bad\nbad\n")

    def test_up_without_a_number_is_one_line_and_never_above_the_first(self):
        self.assertEqual(settled("a\nb\x1b[A\rc"), "c\nb")
        self.assertEqual(settled("a\n\x1b[9Ab"), "b\n")

    def test_other_sequences_are_no_text(self):
        self.assertEqual(settled("\x1b[1mbold\x1b[0m \x1b[?25lx\x1b"), "bold x")


if __name__ == "__main__":
    unittest.main()
