#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an agent costs that has nothing to do: wake-ups, memory, context switches.

usage: idle.py      for IDLE_SECONDS (600); VV_BIN is the directory of the built programs

Two sources that have nothing new are polled every 10 seconds, the shortest interval there is: a
directory with an image for another product, and the URL of that image. Of each, one agent runs
under strace, which counts its wake-ups, and one by itself, which tells memory and context switches.

A wake-up is a return of the process's epoll_wait (on some machines epoll_pwait) with something that
is ready. Counted are those between the first poll, which is asked for here, and the end; nobody
talks to the agents in that time. A poll is seen in the same trace: the agent opens the directory,
or starts a child.

Exit status 1 when the directory's polls cost more than a wake-up each, or an agent has more memory
than it may.
"""

import collections
import contextlib
import os
import pathlib
import re
import signal
import sys
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent / "e2e")]
import fixtures  # pylint: disable=wrong-import-position
import virtual_device  # pylint: disable=wrong-import-position
import web_server  # pylint: disable=wrong-import-position
from agents import LIMIT_S, Agent  # pylint: disable=wrong-import-position

INTERVAL_S = 10
SETTLE_S = 1  # what was said before is answered by then
MAX_WAKEUPS_PER_POLL = 1
MAX_KIB = {"VmHWM": 10 << 10, "RssAnon": 2 << 10}
CONFIG = """
[fleet]
source=dir
{source}
interval={interval}s
jitter=0%

[agent]
socket={dir}/agent.sock
"""
STRACE = ("strace", "-f", "-ttt", "-T", "-e",
          "trace=epoll_wait,epoll_pwait,openat,fork,vfork,clone,clone3", "-o")
LINE = re.compile(r"^(\d+) +(\d+\.\d+) (?:<\.\.\. )?(\w+)(?: resumed>|\()(.*)$")
RETURNED = re.compile(r" = (-?\d+)\b.* <(\d+\.\d+)>$")

Counts = collections.namedtuple("Counts", "wakeups polls children")
# Memory in KiB; how often it gave up the CPU, and how often that was taken away.
Process = collections.namedtuple("Process", "VmHWM RssAnon voluntary involuntary")


def returned_at(line):
    """(time, result) of a system call that returned in this line, else None. The time at the head
    is that of the line: of a call that was not interrupted by another line, when it began."""
    result = RETURNED.search(line.group(4))
    if not result:
        return None
    whole = " resumed>" not in line.group(0)
    return float(line.group(2)) + whole * float(result.group(2)), int(result.group(1))


def count_trace(lines, pid, directory, begin, end):
    """Counts of the process `pid`: its wake-ups between two times, and what it did after each, up
    to the next."""
    wakeups = polls = children = 0
    inside = False
    for text in lines:
        line = LINE.match(text)
        if not line or int(line.group(1)) != pid:
            continue
        name, resumed = line.group(3), " resumed>" in text
        if name in ("epoll_wait", "epoll_pwait"):
            when, result = returned_at(line) or (0, 0)
            if result != 0:
                inside = begin <= when < end
                wakeups += inside
        elif inside and not resumed and name == "openat":
            polls += f'"{directory}"' in text
        elif inside and not resumed:
            children += 1
    return Counts(wakeups, polls, children)


def read_process(text):
    """Process, out of /proc/PID/status."""
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    number = {key: int(value.split()[0]) for key, value in fields.items()
              if key in (*MAX_KIB, "voluntary_ctxt_switches", "nonvoluntary_ctxt_switches")}
    return Process(number["VmHWM"], number["RssAnon"], number["voluntary_ctxt_switches"],
                   number["nonvoluntary_ctxt_switches"])


def complaints(kind, counts, polls, process):
    """What is more than it may be, as sentences. A child of its own takes more than a wake-up, so
    that polls of a URL have no limit here."""
    if polls == 0:
        yield f"{kind}: there was no poll in so short a time"
    if kind == "directory" and counts.wakeups > MAX_WAKEUPS_PER_POLL * polls:
        yield f"{kind}: {counts.wakeups} wake-ups in {polls} polls"
    for name, limit in MAX_KIB.items():
        if getattr(process, name) > limit:
            yield f"{kind}: {name} is {getattr(process, name)} KiB; {limit} at most"


class Idle:
    """A device whose agent has nothing to do."""

    def __init__(self, folder, kind, source, traced):
        self.kind = kind
        self.trace = folder / "trace" if traced else None
        self.device = virtual_device.VirtualDevice(folder, fixtures.trust())
        with open(self.device.conf, "a", encoding="ascii") as stream:
            stream.write(CONFIG.format(source=source, interval=INTERVAL_S, dir=folder))
        self.agent = Agent(self.device, (*STRACE, str(self.trace)) if traced else ())

    def start(self):
        """Until its first poll is over."""
        self.agent.start()
        self.device.run("check")
        virtual_device.until(lambda: self.agent.status()["poll"]["polls"] == 1, LIMIT_S, "a poll")
        says = self.agent.status()["poll"]["says"]
        if "product" not in says:
            raise RuntimeError(f"{self.kind}: the poll says {says!r}")

    def pid(self):
        """Of the agent itself."""
        pid = self.agent.process.pid
        if self.trace is None:
            return pid
        return int(pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])

    def process(self):
        """What the kernel says of it now."""
        return read_process(pathlib.Path(f"/proc/{self.pid()}/status").read_text())

    def stop(self):
        """Ends it, and strace with it."""
        if self.agent.process is not None and self.agent.process.poll() is None:
            os.kill(self.pid(), signal.SIGTERM)
            self.agent.process.wait(LIMIT_S)


def measure(traced, plain, directory, seconds):
    """(Counts, Process of the end, context switches of both kinds) of each pair of agents."""
    time.sleep(SETTLE_S)
    pids = [idle.pid() for idle in traced]
    before = [idle.process() for idle in plain]
    begin = time.time()
    time.sleep(seconds)
    end = time.time()
    after = [idle.process() for idle in plain]
    for idle in (*traced, *plain):
        idle.stop()
    for one, pid, first, last in zip(traced, pids, before, after):
        with open(one.trace, encoding="utf-8", errors="replace") as lines:
            counts = count_trace(lines, pid, directory, begin, end)
        yield counts, last, (last.voluntary - first.voluntary,
                             last.involuntary - first.involuntary)


def prepare(stack, folder):
    """([agents under strace], [the same by themselves], the directory)."""
    directory = folder / "drop"
    directory.mkdir(parents=True)
    part = fixtures.partition_file(64 << 10, 5)
    fixtures.sign(fixtures.build(directory / "other.vvi", {"rootfs": part}, product="other"))
    server = web_server.Nginx(directory, folder / "nginx")
    stack.callback(server.stop)
    sources = {"directory": f"dir={directory}", "URL": f"url={server.url}/other.vvi"}
    agents = {traced: [Idle(folder / f"{kind}-{traced}", kind, source, traced)
                       for kind, source in sources.items()] for traced in (True, False)}
    for idle in (*agents[True], *agents[False]):
        stack.callback(idle.stop)
        idle.start()
    return agents[True], agents[False], directory


def main():
    """Prints a table; exit status 1 when something is more than it may be."""
    seconds = int(os.environ.get("IDLE_SECONDS") or 600)
    problems = []
    with contextlib.ExitStack() as stack:
        traced, plain, directory = prepare(stack, fixtures.workspace() / "idle")
        print(f"{seconds} s, a poll each {INTERVAL_S} s")
        print(f"{'source':10} {'polls':>5} {'wake-ups':>8} {'a poll':>6} {'children':>8} "
              f"{'VmHWM':>9} {'RssAnon':>9}  context switches (taken away)", flush=True)
        figures = list(measure(traced, plain, directory, seconds))
    for idle, (counts, process, switches) in zip(traced, figures):
        polls = counts.polls if idle.kind == "directory" else counts.children
        print(f"{idle.kind:10} {polls:5} {counts.wakeups:8} {counts.wakeups / max(polls, 1):6.2f} "
              f"{counts.children:8} {process.VmHWM:5} KiB {process.RssAnon:5} KiB  "
              f"{switches[0]} ({switches[1]})", flush=True)
        problems += complaints(idle.kind, counts, polls, process)
    for problem in problems:
        print(f"idle: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
