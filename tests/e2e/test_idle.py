# SPDX-License-Identifier: Apache-2.0
"""What tests/idle.py counts, and a short run of it."""

import os
import pathlib
import subprocess
import sys
import unittest

IDLE = pathlib.Path(__file__).resolve().parent.parent / "idle.py"
sys.path += [str(IDLE.parent)]
import idle  # pylint: disable=wrong-import-position

# The agent is process 7. Times at the head are those of the line.
TRACE = """\
7     100.000000 openat(AT_FDCWD, "/drop", O_RDONLY|O_DIRECTORY) = 5 <0.000010>
7     100.100000 epoll_wait(3, [{events=EPOLLIN, data={u32=1, u64=1}}], 32, -1) = 1 <9.900000>
7     110.000100 openat(AT_FDCWD, "/drop", O_RDONLY|O_DIRECTORY) = 5 <0.000010>
7     110.000200 openat(AT_FDCWD, "/drop/other", O_RDONLY) = 5 <0.000010>
7     110.000300 epoll_wait(3,  <unfinished ...>
8     111.000000 epoll_wait(3, [{events=EPOLLIN, data={u32=1, u64=1}}], 32, -1) = 1 <1.000000>
7     120.000000 <... epoll_wait resumed>[{events=EPOLLIN, data={u32=1, u64=1}}], 32, -1) = 1 <9.9>
7     120.000100 clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD <unfinished ...>
9     120.000200 openat(AT_FDCWD, "/drop", O_RDONLY|O_DIRECTORY) = 5 <0.000010>
7     120.000300 <... clone resumed>, child_tidptr=0x7f) = 9 <0.000200>
7     120.000400 epoll_wait(3, [], 32, 0) = 0 <0.000010>
7     120.000500 epoll_wait(3, [{events=EPOLLIN, data={u32=1, u64=1}}], 32, -1) = 2 <0.500000>
7     120.600000 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=9} ---
7     120.700000 epoll_wait(3, [{events=EPOLLIN, data={u32=1, u64=1}}], 32, -1) = 1 <9.400000>
7     130.200000 openat(AT_FDCWD, "/drop", O_RDONLY|O_DIRECTORY) = 5 <0.000010>
7     130.300000 epoll_wait(3,  <detached ...>
""".splitlines()
STATUS = """Name:\tvv-update
VmHWM:\t    9404 kB
VmRSS:\t    9404 kB
RssAnon:\t    1400 kB
voluntary_ctxt_switches:\t61
nonvoluntary_ctxt_switches:\t2
"""


def process(resident=9 << 10, anonymous=1 << 10):
    """One that has so much memory, in KiB."""
    return idle.Process(resident, anonymous, 0, 0)


class Counting(unittest.TestCase):
    """Figures out of a trace and out of /proc."""

    def test_wake_ups_are_returns_with_something_ready_of_the_agent_itself(self):
        self.assertEqual(idle.count_trace(TRACE, 7, "/drop", 101, 200), (4, 2, 1))
        self.assertEqual(idle.count_trace(TRACE, 8, "/drop", 101, 200), (1, 0, 0))

    def test_what_a_wake_up_did_counts_with_it(self):
        # The last one returned at 130.1; what it did was done at 130.2.
        self.assertEqual(idle.count_trace(TRACE, 7, "/drop", 130, 130.15), (1, 1, 0))
        self.assertEqual(idle.count_trace(TRACE, 7, "/drop", 130.15, 200), (0, 0, 0))
        self.assertEqual(idle.count_trace(TRACE, 7, "/drop", 0, 109), (0, 0, 0))

    def test_an_interrupted_line_says_when_the_call_returned(self):
        self.assertEqual(idle.count_trace(TRACE, 7, "/drop", 119.9, 120.1), (1, 0, 1))
        self.assertEqual(idle.count_trace(TRACE, 7, "/drop", 110.2, 111), (0, 0, 0))

    def test_memory_and_context_switches_are_those_of_the_kernel(self):
        self.assertEqual(idle.read_process(STATUS), (9404, 1400, 61, 2))


class Verdict(unittest.TestCase):
    """What is more than it may be."""

    def complaints(self, kind="directory", wakeups=60, polls=60, **memory):
        """The sentences, for these figures."""
        return list(idle.complaints(kind, idle.Counts(wakeups, polls, 0), polls,
                                    process(**memory)))

    def test_a_wake_up_for_each_poll_is_good_and_one_more_is_not(self):
        self.assertEqual(self.complaints(), [])
        self.assertEqual(self.complaints(wakeups=61), ["directory: 61 wake-ups in 60 polls"])

    def test_polls_of_a_url_may_take_more(self):
        self.assertEqual(self.complaints(kind="URL", wakeups=300), [])

    def test_without_a_poll_nothing_was_shown(self):
        self.assertIn("no poll", self.complaints(wakeups=0, polls=0)[0])

    def test_memory_has_a_limit_for_all_of_it_and_for_what_is_its_own(self):
        self.assertEqual(self.complaints(resident=10 << 10, anonymous=2 << 10), [])
        self.assertIn("VmHWM is 10241 KiB", self.complaints(resident=(10 << 10) + 1)[0])
        self.assertIn("RssAnon is 2049 KiB", self.complaints(anonymous=(2 << 10) + 1)[0])


@unittest.skipIf(os.environ.get("VV_SAN"), "sanitizers need memory of their own")
class Run(unittest.TestCase):
    """The script on the real agent; long enough for a poll."""

    def test_a_poll_of_a_directory_is_one_wake_up_and_starts_no_child(self):
        # The wait after the first poll is drawn between a half and one and a half of 10 seconds.
        done = subprocess.run([sys.executable, str(IDLE)], text=True, check=False, timeout=120,
                              env={**os.environ, "IDLE_SECONDS": "16"},
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        rows = {line.split()[0]: line.split() for line in done.stdout.splitlines()}
        _, polls, wakeups, _, children = rows["directory"][:5]
        self.assertGreaterEqual(int(polls), 1)
        self.assertEqual((wakeups, children), (polls, "0"))
        self.assertGreaterEqual(int(rows["URL"][1]), 1)


if __name__ == "__main__":
    unittest.main()
