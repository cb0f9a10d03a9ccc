# SPDX-License-Identifier: Apache-2.0
"""Runs commands and says what they took: time, processor, memory, requests, bytes written."""

import ctypes
import dataclasses
import os
import pathlib
import re
import subprocess
import tempfile
import threading
import time

MIB = 1 << 20
SECTOR = 512
SAMPLE_S = 0.01
PR_SET_CHILD_SUBREAPER = 36
TIME = "/usr/bin/time"
# In the block layer's stat file.
SECTORS_READ, SECTORS_WRITTEN, SECTORS_DISCARDED = 2, 6, 13


@dataclasses.dataclass
class Usage:
    """What one run took."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    rss_kib: int = 0
    fetched: int = 0
    requests: int = 0
    written: int = 0
    read: int = 0
    load: float = 0.0


class Failed(Exception):
    """A command that was to be measured did not do its work."""


# --- counting ---------------------------------------------------------------------------------

def parse_block_stat(text):
    """(bytes read, bytes written) since the device came, of /sys/block/NAME/stat."""
    fields = [int(word) for word in text.split()]
    return fields[SECTORS_READ] * SECTOR, fields[SECTORS_WRITTEN] * SECTOR


def parse_time_file(text):
    """Peak KiB of one process by /usr/bin/time -f %M; it may say first how the command ended."""
    return int(text.split()[-1])


def count_requests(rows, since=0):
    """(bytes of bodies, requests) of the rows of a web server's log from one on."""
    wanted = rows[since:]
    return sum(row[3] for row in wanted), len(wanted)


def parse_status(text):
    """KiB of VmHWM in /proc/PID/status, 0 of a process that has gone or is a kernel thread."""
    found = re.search(r"^VmHWM:\s+(\d+) kB", text, re.M)
    return int(found.group(1)) if found else 0


def parse_stat_ticks(text):
    """Ticks of a process and the children it waited for, of /proc/PID/stat."""
    fields = text.rpartition(")")[2].split()
    return sum(int(fields[at]) for at in range(11, 15))


def tree_of(pid, children):
    """A process and all below it; children(pid) lists those of one."""
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        waiting += children(one)
    return found


def _read(path):
    """The text of a file of /proc, nothing when its process has gone."""
    try:
        return pathlib.Path(path).read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def _children(pid):
    return [int(word) for word in _read(f"/proc/{pid}/task/{pid}/children").split()]


class Sampler:
    """Looks at the memory of process trees again and again: the largest sum of peaks of what lived
    at the same time. Pages that two of the processes share count twice."""

    def __init__(self, roots, without):
        self.roots = roots
        self.without = set(without)  # those that only measure
        self.peak_kib = 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.over.wait(SAMPLE_S):
            pids = {pid for root in self.roots for pid in tree_of(root, _children)}
            total = sum(parse_status(_read(f"/proc/{pid}/status")) for pid in pids - self.without)
            self.peak_kib = max(self.peak_kib, total)

    def stop(self):
        """The peak."""
        self.over.set()
        self.thread.join()
        return self.peak_kib


def adopt_orphans():
    """Children whose parents ended come to us, so that what they took is counted."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def daemon_cpu(pids):
    """Seconds that running processes took so far, with the children they waited for."""
    ticks = sum(parse_stat_ticks(text) for pid in pids if (text := _read(f"/proc/{pid}/stat")))
    return ticks / os.sysconf("SC_CLK_TCK")


def _start(stages, folder, log, environment):
    """Starts the stages of a pipeline, each below /usr/bin/time: what a child of Python's is told
    as its peak includes Python's own memory before exec."""
    processes, reader = [], None
    for number, stage in enumerate(stages):
        last = number == len(stages) - 1
        processes.append(subprocess.Popen(
            [TIME, "-q", "-f", "%M", "-o", f"{folder}/{number}", *map(str, stage)],
            stdin=reader or subprocess.DEVNULL, stdout=log if last else subprocess.PIPE,
            stderr=log, env=environment))
        if reader:
            reader.close()
        reader = processes[-1].stdout
    return processes


def _reap(processes):
    """Waits for all, and for orphans: ([exit statuses], seconds of processor)."""
    statuses, cpu = [], 0.0
    for process in processes:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        statuses.append(process.returncode)
        cpu += usage.ru_utime + usage.ru_stime
    return statuses, cpu


def _reap_orphans(daemons):
    """Seconds of processor of those that came to us and have ended; daemons are left alone."""
    cpu = 0.0
    for pid in _children(os.getpid()):
        if pid in daemons:
            continue
        try:
            ended, _, usage = os.wait4(pid, os.WNOHANG)
        except ChildProcessError:
            continue
        if ended:
            cpu += usage.ru_utime + usage.ru_stime
    return cpu


def run_steps(steps, daemons=(), env=None):
    """Usage of pipelines run one after the other; daemons are processes that work for them, of
    which the processor time and the memory count as well."""
    usage = Usage(load=os.getloadavg()[0])
    environment = {**os.environ, **(env or {})}
    with tempfile.TemporaryDirectory(prefix="vv-bench-") as folder:
        with open(f"{folder}/log", "w+b") as log:
            before = daemon_cpu(daemons)
            for stages in steps:
                began = time.monotonic()
                processes = _start(stages, folder, log, environment)
                pids = [process.pid for process in processes]
                sampler = Sampler([*pids, *daemons], pids)
                statuses, cpu = _reap(processes)
                usage.wall_s += time.monotonic() - began
                usage.cpu_s += cpu
                single = sum(parse_time_file(_read(f"{folder}/{number}"))
                             for number in range(len(stages)))
                usage.rss_kib = max(usage.rss_kib, sampler.stop(), single)
                if any(statuses):
                    log.seek(0)
                    raise Failed(f"exit {statuses}: {stages}\n"
                                 f"{log.read()[-2000:].decode(errors='replace')}")
            usage.cpu_s += daemon_cpu(daemons) - before
    return usage


# --- targets ----------------------------------------------------------------------------------

def begins_with(path, image):
    """True if a file or device begins with the bytes of an image."""
    size = os.path.getsize(image)
    return subprocess.run(["cmp", "-s", "-n", str(size), str(image), str(path)],
                          check=False).returncode == 0


class Target:
    """Where systems are installed: a loop device on a file, or the file where there are none."""

    def __init__(self, path, size):
        self.file = pathlib.Path(path)
        self.size = size
        self.device = self.file
        self.loop = None
        with open(self.file, "wb") as stream:
            os.posix_fallocate(stream.fileno(), 0, size)
        for direct in (["--direct-io=on"], []):
            done = subprocess.run(["losetup", "--find", "--show", *direct, str(self.file)],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                  check=False)
            if done.returncode == 0:
                self.device = pathlib.Path(done.stdout.strip())
                self.loop = self.device.name
                break

    def counts(self):
        """(bytes read, bytes written) so far; zeros of a plain file."""
        if not self.loop:
            return 0, 0
        return parse_block_stat(_read(f"/sys/block/{self.loop}/stat"))

    def fill(self):
        """Gives it content such as no image has, and without zeros."""
        block = bytes((at * 167 + at // 251) % 255 + 1 for at in range(1 << 16)) * 64
        fd = os.open(self.device, os.O_WRONLY)
        try:
            at = 0
            while at < self.size:
                at += os.pwrite(fd, block[:min(len(block), self.size - at)], at)
            os.fsync(fd)
        finally:
            os.close(fd)

    def holds(self, image):
        """True if it begins with the bytes of an image."""
        return begins_with(self.device, image)

    def release(self):
        """Gives the loop device back; the file stays."""
        if self.loop:
            subprocess.run(["losetup", "--detach", str(self.device)], check=False)
        self.loop, self.device = None, self.file

    def close(self):
        """Gives the loop device back, and the room."""
        self.release()
        self.file.unlink(missing_ok=True)


def drop_caches():
    """True if the kernel forgot what it had read."""
    os.sync()
    try:
        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as stream:
            stream.write("3\n")
    except OSError:
        return False
    return True


def warm(folder):
    """Reads all files of a folder, so that their server has them in memory."""
    for path in pathlib.Path(folder).rglob("*"):
        if path.is_file():
            with open(path, "rb") as stream:
                while stream.read(4 * MIB):
                    pass


def settled(count, quiet_s=0.1, end_s=5.0):
    """What count() says when it has not changed for a while: a server writes its log when an
    answer is over, a little after the client has it."""
    end = time.monotonic() + end_s
    value = count()
    while time.monotonic() < end:
        time.sleep(quiet_s)
        again = count()
        if again == value:
            break
        value = again
    return value
