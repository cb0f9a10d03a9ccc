#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plays an update that is rolled back and one that stays on the virtual board, and writes what the
console shows, without times and ports, so that the same programs give the same text.

usage: transcript.py FILE
"""

import pathlib
import re
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

# pylint: disable=wrong-import-position
from rig import HOST, INSTALL_S, SHELL, Rig, factory_card, release_url, server
from screen import settled

HEAD = """\
Two updates on the virtual board (arm64, U-Boot, Linux), as its serial console shows them: release
3.0 has a broken service and is rolled back, release 2.0 is kept. Written by
`make board-transcript`; left out are the kernel's messages, progress bars and times.
"""
# What U-Boot and the system say that belongs to the story.
SAID = r"^(U-Boot 20\S+(?= )|(?:Booting|vv-board: release \S+ in) slot \w(?=\n))"
# A boot says three such lines, each further attempt two.
SAID_MAX = 9
NOISE = ((r"(?m)^ *(check|search|copy and download|download|verify) +\[.*\n?", ""),
         (r", \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", ""),
         (r"\b(\d+ min )?\d+(\.\d+)? m?s\b", "... s"))


class Story:
    """The transcript so far, and the board it comes from."""

    def __init__(self, rig):
        self.rig = rig
        self.lines = []

    def comment(self, text):
        """A line that is not the console's."""
        self.lines += ["", f"--- {text}", ""]

    def show(self, text):
        """What the console said, as it stood there in the end."""
        text = settled(text)
        for pattern, instead in NOISE:
            text = re.sub(pattern, instead, text)
        text = text.replace(f"{HOST}:{server().port}/small-", f"{HOST}/")
        self.lines += text.strip("\n").splitlines()

    def type(self, command, status=0):
        """A command and its output."""
        self.lines.append(SHELL + command.replace(f"{HOST}:{server().port}/small-", f"{HOST}/"))
        self.show(self.rig.must(command + " 2>&1", INSTALL_S, status))

    def boot(self, version, slot):
        """What is said from power-on to the system that runs."""
        said = []
        while not said or not said[-1].startswith("vv-board: "):
            if len(said) == SAID_MAX:
                raise AssertionError("no system runs: " + ", ".join(said))
            said.append(self.rig.expect(SAID)[1])
        self.lines += said
        self.rig.expect(re.escape(SHELL))
        self.rig.slot, self.rig.version = slot, version

    def reboot(self):
        """By hand."""
        self.rig.check_no_write()
        self.lines.append(SHELL + "reboot")
        self.rig.console.send_line("reboot")


def play(rig):
    """The lines of both updates."""
    story = Story(rig)
    story.comment("power on")
    story.boot("1.0", "a")
    rig.confirmed()
    story.type("vv-update status")
    story.type(f"vv-update install {release_url('small', '3.0')}")
    story.reboot()
    story.boot("3.0", "b")
    story.type("vv-update status")
    story.type("vv-update health", status=10)
    story.comment("confirm, which runs at each boot, gives the release up and reboots")
    story.boot("1.0", "a")
    rig.confirmed()
    story.type("vv-update status")
    story.type(f"vv-update install {release_url('small', '2.0')}")
    story.reboot()
    story.boot("2.0", "b")
    rig.confirmed()
    story.type("cat /run/vv-confirm.log")
    story.type("vv-update status")
    return story.lines


def main(target):
    """Writes the file when all of it was seen, and the card is as it should be."""
    with Rig(factory_card("order")) as rig:
        lines = play(rig)
    pathlib.Path(target).write_text(HEAD + "\n".join(lines) + "\n")
    print(f"board: {target}: {len(lines)} lines")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
