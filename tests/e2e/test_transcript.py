# SPDX-License-Identifier: Apache-2.0
"""docs/board-transcript.txt says what the programs say today. It is written on the virtual board,
which takes minutes; a sentence that was changed since is found here, without the board."""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PLAYER = ROOT / "tests/board/transcript.py"
SPEAKERS = ("updater/*.c", "base/*.c", "bootloader/boot-order.cmd",
            "tests/board/overlay/**/*")

# Every line is one of these: formats as they stand in the sources, all but the first of a line may
# be missing.
LINES = (
    ("Booting slot ${vv_slot}",),
    ("vv-board: release %s in slot %s",),
    ("vv-board# ", "%s"),
    ("%-12s %-10s %-20s %-10s %s",),
    ("Running %s from slot %s",
     ", on trial, %u attempts left: 'vv-update confirm' keeps it when it is healthy, else slot %s "
     "boots again", ".", " Slot %s boots next."),
    ("%s (release %lu) is in slot %s: %s fetched, %s copied, %s written, %s in place already. "
     "%s",),
    ("Waiting for the health checks, %s at most", "%s%s is %s%s%s%s", "%s."),
    ("Watchdog: %s.",),
    ("Last result: %s", " %s", " in slot %s", "%s%s%s."),
    ("%-*s  %-*s  %-8s  %-9s  %5u  %s",),
    ("not healthy: %s",),
    ("check %s is %s%s%s%s",),
    ("Confirmed: %s is kept.",),
)
# These stand in some line, in the place of a %s.
INSIDE = ("It boots next, on trial.", "an unknown release", "rolled back", "release %s in slot %s",
          "check %s: %s", "%s is %s old", "HTTP %ld", "ours", "starting",
          '{"status":"ok","version":"$VERSION"}',
          '{"status":"error","version":"$VERSION","detail":"no model"}')
# Whole strings: what the tables are made of.
WORDS = ("SLOT", "STATE", "VERSION", "RELEASE", "BOOTS LEFT", "good", "bad", "trial", "unknown",
         "CHECK", "KIND", "SEVERITY", "TRIES", "OUTPUT", "http", "file-age", "required", "healthy",
         "unhealthy", "activated", "confirmed")
PREFIX = r"vv-update: (error: )?"
U_BOOT = r"U-Boot 20[\d.]+"


def sources():
    """What the speakers can say: strings that were cut for the sake of the line are one again."""
    texts = [path.read_text() for pattern in SPEAKERS for path in sorted(ROOT.glob(pattern))
             if path.is_file()]
    joined = re.sub(r'(?<!\\)"\s+"', "", "\n".join(texts).replace('" PRIu64', 'lu"'))
    return joined.replace('\\"', '"')


def pattern_of(said):
    """A regular expression for what a format makes."""
    def part(text):
        padded = re.fullmatch(r"%-(\d+)s", text)
        if padded:
            return r"\S" + f".{{{int(padded[1]) - 1}}}"
        return ".+" if re.fullmatch(r"%.*|\$.*", text) else re.escape(text)
    return "".join(map(part, re.split(r"(%-?[\d*]*l?[a-z]|\$\{\w+\}|\$[A-Z]+)", said)))


def line_of(formats):
    """One for a whole line."""
    return pattern_of(formats[0]) + "".join(f"(?:{pattern_of(more)})?" for more in formats[1:])


class Transcript(unittest.TestCase):
    """Line by line."""

    def setUp(self):
        text = (ROOT / "docs/board-transcript.txt").read_text()
        self.head, _, story = text.partition("\n\n")
        lines = [line for line in story.splitlines() if line]
        self.comments = [line for line in lines if line.startswith("--- ")]
        self.told = [line for line in lines if line not in self.comments]

    def test_what_is_not_the_consoles_is_the_players(self):
        player = PLAYER.read_text()
        self.assertIn(self.head, player)
        for line in self.comments:
            self.assertIn(line.removeprefix("--- "), player)

    def test_the_readme_shows_parts_of_it(self):
        block = re.search(r"^```\n(vv-board# .*?)^```$", (ROOT / "README.md").read_text(),
                          re.M | re.S)[1]
        told = "\n".join([*self.told, ""])
        at = 0
        for part in block.split("...\n"):
            at = told.find(part, at)
            self.assertGreaterEqual(at, 0, f"the transcript has no such lines:\n{part}")
            at += len(part)

    def test_each_line_of_the_console_is_of_a_known_form(self):
        used = set()
        for line in self.told:
            if re.fullmatch(U_BOOT, line):
                continue
            said = re.sub("^" + PREFIX, "", line)
            found = [formats for formats in LINES if re.fullmatch(line_of(formats), said)]
            self.assertEqual(len(found), 1, f"{line}: {found}")
            used.add(found[0])
        self.assertEqual(used, set(LINES))
        for said in (*INSIDE, *WORDS):
            self.assertRegex("\n".join(self.told), pattern_of(said))

    def test_the_programs_say_it_in_these_forms(self):
        texts = sources()
        formats = [part for line in LINES for part in line]
        for said in (*formats, *INSIDE, *(f'"{word}"' for word in WORDS)):
            self.assertTrue(said in texts, f"no source has: {said}")


if __name__ == "__main__":
    unittest.main()
