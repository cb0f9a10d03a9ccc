# SPDX-License-Identifier: Apache-2.0
"""An install stands back behind other programs as it is configured to."""

import pathlib
import subprocess
import unittest

import fixtures
from fixtures import MIB, DeviceTest
import virtual_device
import web_server

NICE = 18  # the field of /proc/PID/stat, counted from 0


def nice(pid):
    """Of every thread of a process."""
    values = set()
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        fields = (task / "stat").read_text().rpartition(")")[2].split()
        values.add(int(fields[NICE - 2]))
    return values


class Priority(DeviceTest):
    """Looked at while it waits for a slow server."""

    def installing(self, **options):
        """(process, device, partition): an install that has begun."""
        image, part = fixtures.release(size=4 * MIB, seed=75)
        server = web_server.Nginx(image.parent, self.folder / "nginx", rate="1m")
        self.addCleanup(server.stop)
        device = self.device(**options)
        process = subprocess.Popen(device.command("install", f"{server.url}/{image.name}"),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True)
        virtual_device.until(server.requests, 20, "the first range is over")
        return process, device, part

    def ends_well(self, process, device, part):
        """It is installed."""
        _, stderr = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, stderr)
        self.check_installed(device, part)

    def test_all_threads_have_the_configured_priority(self):
        process, device, part = self.installing(
            extra="[install]\nnice=19\nio_priority=idle\n")
        self.assertEqual(nice(process.pid), {19})
        shown = subprocess.run(["ionice", "-p", str(process.pid)], stdout=subprocess.PIPE,
                               check=True, text=True).stdout
        self.assertIn("idle", shown)
        self.ends_well(process, device, part)

    def test_without_a_word_it_is_left_as_it_was_started(self):
        process, device, part = self.installing()
        self.assertEqual(nice(process.pid), nice("self"))
        self.ends_well(process, device, part)


if __name__ == "__main__":
    unittest.main()
