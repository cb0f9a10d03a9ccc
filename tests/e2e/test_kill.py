# SPDX-License-Identifier: Apache-2.0
"""SIGKILL in the middle of an install, then the same install again.

By byte counts: the web server kills the program when it has sent so many bytes.
By steps: strace kills the program at a chosen system call; which step of the order of operations
(docs/crash-safety.md) that was is read from where the killed run's own trace ends.
"""

import collections
import os
import re
import subprocess
import unittest

import fixtures
from fixtures import MIB, DeviceTest
import web_server

# Of several threads, which call comes first is a matter of time; what is written is the same.
ONE_THREAD = "\n[install]\nworkers=0\n"
TRACED = "openat,pread64,pwrite64,write,fdatasync,fsync,rename,fallocate"
CALL = re.compile(r"^\d+ +(\w+)\((.*)$")


def steps_of(trace, slot):
    """[(system call, its ordinal among calls of that name, step)] of a traced install."""
    calls, seen = [], collections.Counter()
    step, renames = 1, 0
    for line in trace.read_text(errors="replace").splitlines():
        found = CALL.match(line)
        if not found:
            continue
        name, rest = found.groups()
        seen[name] += 1
        on_slot = f"<{slot}>" in rest
        changes_slot = on_slot and name in ("pwrite64", "fallocate")
        state_file = re.search(r'state/\.(slot-b|journal)\.', rest) is not None
        if step == 1 and on_slot and name == "pread64":
            step = 2
        elif step == 2 and state_file:
            step = 3
        elif step == 3 and "fw_printenv.lock" in rest:
            step = 4
        elif step == 4 and changes_slot:
            step = 5
        elif step == 5 and calls[-1][0] == "fdatasync":
            step = 6
        elif step == 6 and changes_slot and re.search(r", 4096, 0\)?", rest):
            step = 8
            back = len(calls) - 1
            while not (calls[back][0] in ("pwrite64", "fallocate") and calls[back][3]):
                calls[back] = (*calls[back][:2], 7, False)
                back -= 1
        elif step == 8 and state_file:
            step, renames = 9, 0
        elif step == 9 and renames == 2:
            step = 10
        renames += name == "rename"
        calls.append((name, seen[name], step, changes_slot))
    return [call[:3] for call in calls]


class Killed(DeviceTest):
    """After any kill the running slot is whole, what boots is whole, and the next run works."""

    def check_after_kill(self, device, part):
        """Whatever boots next is a whole system."""
        self.check_running_slot_untouched()
        status = device.status()
        if status["next_boot"] == "b":
            self.assertTrue(fixtures.same_start(device.slot_file("b"), part))

    def check_again(self, device, source, part):
        """The same command again ends installed and identical."""
        done = device.run("install", source)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check_installed(device, part)
        left = [f.name for f in (device.dir / "state").iterdir() if f.name.startswith(".")]
        self.assertEqual(left, [], "nothing of a killed run is left")

    def test_killed_at_twenty_byte_counts_of_a_server_it_ends_installed(self):
        image, part = fixtures.release(size=6 * MIB, seed=50)
        total = image.stat().st_size
        for number in range(20):
            count = total * number // 20 + 1000
            with self.subTest(bytes=count):
                device = self.device(f"bytes-{number}")
                child = []
                server = web_server.CountingServer(
                    image.parent, lambda sent, at=count, it=child:
                    it[0].kill() if sent >= at else None)
                try:
                    child.append(subprocess.Popen(
                        device.command("install", f"{server.url}/{image.name}"),
                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL))
                    self.assertEqual(child[0].wait(60), -9, "it was killed")
                finally:
                    server.stop()
                self.check_after_kill(device, part)
                self.check_again(device, image, part)

    def traced(self, device, image, *options):
        """Runs install under strace; its exit status and the trace."""
        trace = device.dir / "trace"
        done = subprocess.run(
            ["strace", "-f", "-y", "-s", "0", "-o", str(trace), "-e", f"trace={TRACED}", *options,
             *device.command("install", image)], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        return done.returncode, trace

    @unittest.skipIf(os.environ.get("VV_SAN"), "a sanitized program makes calls of its own")
    def test_killed_inside_each_step_it_ends_installed(self):
        image, part = fixtures.release(size=20 * MIB, seed=51)
        whole = self.device("whole", slot_size=20 * MIB, extra=ONE_THREAD)
        status, trace = self.traced(whole, image)
        self.assertEqual(status, 0)
        calls = steps_of(trace, whole.slot_file("b"))
        hit = collections.Counter()
        for step in range(1, 11):
            # Not write(): how often it is called for progress on standard error, time decides.
            inside = [c for c in calls if c[2] == step and c[0] != "write"]
            self.assertTrue(inside, f"the trace shows no step {step}")
            chosen = {inside[0], inside[len(inside) // 3], inside[len(inside) // 2], inside[-1]}
            for name, ordinal, _ in sorted(chosen, key=inside.index):
                with self.subTest(step=step, call=name, ordinal=ordinal):
                    device = self.device(f"step-{step}-{name}-{ordinal}", slot_size=20 * MIB,
                                         extra=ONE_THREAD)
                    status, trace = self.traced(
                        device, image, "-e", f"inject={name}:signal=KILL:when={ordinal}")
                    self.assertIn(status, (-9, 137), "it was killed")
                    last = steps_of(trace, device.slot_file("b"))[-1][:2]
                    killed_in = next(c[2] for c in calls if c[:2] == last)
                    hit[killed_in] += 1
                    print(f"\n    killed in step {killed_in} at {last[0]} {last[1]}", end="")
                    self.check_after_kill(device, part)
                    self.check_again(device, image, part)
        print()
        self.assertEqual(sorted(hit), list(range(1, 11)), "a kill hit every step")


if __name__ == "__main__":
    unittest.main()
