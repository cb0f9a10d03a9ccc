# SPDX-License-Identifier: Apache-2.0
"""The scripts for systems without systemd, in a folder with programs that stand for others."""

import pathlib
import shutil
import tempfile
import unittest

from fixtures import workspace

SCRIPTS = pathlib.Path(__file__).resolve().parent.parent.parent / "updater/init"
# Says what it was called for, and ends with the next status of the list.
PROGRAM = """#!/bin/sh
echo "$0 $*" | sed 's|.*/||' >>calls
[ -s statuses ] || exit 0
read -r status <statuses
sed -i 1d statuses
exit "$status"
"""


class InitScriptTest(unittest.TestCase):
    """What a script calls, and how it ends."""

    def prepare(self, statuses=(), programs=()):
        """The folder; `vv-update` ends so, one time after the other, the others with 0."""
        folder = pathlib.Path(tempfile.mkdtemp(dir=workspace()))
        for name in programs:
            (folder / name).write_text(PROGRAM if name == "vv-update" else
                                       PROGRAM.replace("statuses", "none"))
            (folder / name).chmod(0o755)
        # Nothing else of this machine is to be found.
        for name in ("cat", "sed"):
            (folder / name).symlink_to(shutil.which(name))
        (folder / "statuses").write_text("".join(f"{status}\n" for status in statuses))
        return folder

    def calls(self, folder):
        """What was called there."""
        path = folder / "calls"
        return path.read_text().splitlines() if path.exists() else []
