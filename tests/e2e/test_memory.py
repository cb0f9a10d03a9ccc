# SPDX-License-Identifier: Apache-2.0
"""How much memory an install over HTTP takes: its peak, and in a memory cgroup of 32 MiB.

The partitions are sparse, with small blocks that differ, so that the chunk table is as long as that
of a full partition: it is what grows with an image. Images are built and slots are written in
seconds, because most of it are zeros.
"""

import contextlib
import os
import pathlib
import random
import subprocess
import unittest

import fixtures
from fixtures import MIB, DeviceTest
import virtual_device
import web_server

GIB = 1 << 30
BLOCK = 2048
# In one thread; the others of a device with two processors and their connections take some more.
ONE_GIB_LIMIT_MIB = 14
LONGEST_TABLE_LIMIT_MIB = 17
THREADS_MIB = 1.25
CGROUPS = pathlib.Path("/sys/fs/cgroup")


def sparse_partition(path, size, step):
    """A file of `size` with a block that is not zero at each multiple of `step`."""
    rng = random.Random(70)
    with open(path, "wb") as stream:
        stream.truncate(size)
        for offset in range(0, size, step):
            stream.seek(offset)
            stream.write(rng.randbytes(BLOCK))
    return path


@unittest.skipIf(os.environ.get("VV_SAN"), "sanitizers need memory of their own")
class Memory(DeviceTest):
    """An install in as little memory as the manual promises."""

    def prepare(self, size, step, average):
        """(image on a server as URL, partition, device, records of the chunk table)."""
        part = sparse_partition(self.folder / "part", size, step)
        image = fixtures.build(self.folder / "image.vvi", {"rootfs": part}, level=1,
                               chunk_avg=average)
        fixtures.sign(image)
        server = web_server.Nginx(self.folder, self.folder / "nginx")
        self.addCleanup(server.stop)
        device = self.device(slot_size=size)
        return f"{server.url}/{image.name}", part, device

    def check_blocks(self, device, part, step):
        """The slot has the blocks that are not zero, and is as sparse as the partition."""
        with open(part, "rb") as want, open(device.slot_file("b"), "rb") as got:
            for offset in range(0, part.stat().st_size, 64 * step):
                for stream in (want, got):
                    stream.seek(offset)
                self.assertEqual(got.read(step), want.read(step), f"at {offset}")
        self.assertEqual(device.status()["trial"], "b")

    def peak_kib(self, device, url):
        """Of the resident memory of an install."""
        # A child of this interpreter would start with the interpreter's peak: time is in between.
        peak = self.folder / "peak"
        done = subprocess.run(
            ["/usr/bin/time", "-f", "%M", "-o", str(peak), *device.command("install", url)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return int(peak.read_text())

    def check_peak(self, size, step, average, limit_mib, numbers):
        """Installs, in one thread and in more, and holds the peak against the limit."""
        url, part, first = self.prepare(size, step, average)
        for workers in numbers:
            more_mib = THREADS_MIB if workers > 0 else 0
            device = first if workers == 0 else self.device(f"workers-{workers}", slot_size=size)
            device.conf.write_text(f"{device.conf.read_text()}\n[install]\nworkers={workers}\n")
            peak_kib = self.peak_kib(device, url)
            records = device.journal()["chunk_count"]
            print(f"\n    {size // GIB} GiB, {records} chunks, {workers} workers: peak RSS "
                  f"{peak_kib / 1024:.1f} MiB", end=" ")
            self.check_blocks(device, part, step)
            self.assertLessEqual(peak_kib, (limit_mib + more_mib) * 1024)
            device.slot_file("b").unlink()
        return records

    def test_one_gib_over_http(self):
        # As many chunks as 1 GiB has without zeros.
        records = self.check_peak(GIB, 128 << 10, "64K", ONE_GIB_LIMIT_MIB, (0, 1, 2, 3))
        self.assertEqual(records, 2 * GIB // (128 << 10))

    def test_four_gib_with_the_longest_table_over_http(self):
        records = self.check_peak(4 * GIB, 128 << 10, "4K", LONGEST_TABLE_LIMIT_MIB, (0, 3))
        self.assertEqual(records, 65536)

    @unittest.skipUnless(os.environ.get("VV_LARGE"),
                         "the table of 4 GiB is as long; VV_LARGE=1 runs it")
    def test_sixteen_gib_with_the_longest_table_over_http(self):
        records = self.check_peak(16 * GIB, 512 << 10, "4K", LONGEST_TABLE_LIMIT_MIB, (0, 3))
        self.assertEqual(records, 65536)


class Cgroup:
    """A memory cgroup without swap, version 2 or 1; the test is skipped where none can be made."""

    def __init__(self, limit):
        unified = CGROUPS / "cgroup.controllers"
        if unified.is_file() and "memory" in unified.read_text().split():
            parent, files = CGROUPS, {"memory.max": limit, "memory.swap.max": 0}
        elif (CGROUPS / "memory/memory.limit_in_bytes").is_file():
            parent = CGROUPS / "memory"
            files = {"memory.limit_in_bytes": limit, "memory.memsw.limit_in_bytes": limit}
        else:
            raise unittest.SkipTest("there is no memory controller of cgroups")
        self.folder = parent / f"vv-test-{os.getpid()}"
        try:
            self.folder.mkdir()
        except OSError as error:
            raise unittest.SkipTest(f"{self.folder}: {error.strerror}") from error
        for name, value in files.items():
            # No such file where the kernel counts no swap, or does not hand memory down.
            if not (self.folder / name).exists():
                if name in ("memory.max", "memory.limit_in_bytes"):
                    self.remove()
                    raise unittest.SkipTest(f"{self.folder} has no {name}")
                continue
            (self.folder / name).write_text(str(value))

    def run(self, command):
        """A command whose only process is in the group from its beginning."""
        script = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
        return subprocess.run(["sh", "-c", script, str(self.folder), *command], text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False)

    def peak(self):
        """The most that was charged to it, page cache included; None when it does not tell."""
        for name in ("memory.peak", "memory.max_usage_in_bytes"):
            with contextlib.suppress(OSError):
                return int((self.folder / name).read_text())
        return None

    def remove(self):
        """Its processes are over."""
        def gone():
            with contextlib.suppress(OSError):
                self.folder.rmdir()
            return not self.folder.exists()
        virtual_device.until(gone, 10, f"{self.folder} is empty")


@unittest.skipIf(os.environ.get("VV_SAN"), "sanitizers need memory of their own")
class SmallDevice(DeviceTest):
    """All that an install touches, the page cache of what it writes included, in 32 MiB."""

    def test_an_install_gets_by_with_32_mib_and_no_swap(self):
        group = Cgroup(32 * MIB)
        self.addCleanup(group.remove)
        # 512 MiB of content, 128 MiB of it not zero.
        size, step = 512 * MIB, 256 << 10
        part = self.folder / "part"
        rng = random.Random(71)
        with open(part, "wb") as stream:
            stream.truncate(size)
            for offset in range(0, size, step):
                stream.seek(offset)
                stream.write(rng.randbytes(64 << 10))
        image = fixtures.sign(fixtures.build(self.folder / "image.vvi", {"rootfs": part},
                                             level=1))
        server = web_server.Nginx(self.folder, self.folder / "nginx")
        self.addCleanup(server.stop)
        device = self.device(slot_size=size)
        done = group.run(device.command("install", f"{server.url}/{image.name}"))
        self.assertEqual(done.returncode, 0, done.stderr)
        if group.peak() is not None:
            print(f"\n    peak of the cgroup {group.peak() / MIB:.1f} MiB", end=" ")
            self.assertLessEqual(group.peak(), 32 * MIB)
        self.check_installed(device, part)


if __name__ == "__main__":
    unittest.main()
