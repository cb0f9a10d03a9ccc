# SPDX-License-Identifier: Apache-2.0
"""How much memory an install over HTTP takes: its peak, and in a memory cgroup of 32 MiB.

The partitions are sparse, with small blocks that differ, so that the chunk table is as long as that
of a full partition: it is what grows with an image. Images are built and slots are written in
seconds, because most of it are zeros. What else takes memory are long chunks: where a partition
begins with a squashfs, that has those which a full one of its size would have.
"""

import contextlib
import functools
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import time
import unittest

import fixtures
from fixtures import MIB, DeviceTest
import virtual_device
import web_server

GIB = 1 << 30
BLOCK = 2048
SQUASHFS_ROOM = 128 * MIB
CGROUPS = pathlib.Path("/sys/fs/cgroup")

# The most that may be resident of an install, and of that anonymous, in MiB, with 0, 1, 2 and 3
# workers: about half a MiB more than was measured. The rest of it is the program and its libraries:
# 9.4 MiB, whatever is installed.
LIMITS_MIB = {
    "sparse, 1 GiB": {"resident": (14, 14.75, 15, 15.25), "anonymous": (4.5, 5.25, 5.5, 5.75)},
    "sparse, 1 GiB, https": {"resident": (14.5, 15.25, 15.5, 15.75),
                             "anonymous": (4.75, 5.75, 6, 6.25)},
    "sparse, 4 GiB": {"resident": (17, 17.75, 18, 18.25), "anonymous": (8, 8.5, 8.75, 9)},
    "sparse, 16 GiB": {"resident": (17, 17.75, 18, 18.25), "anonymous": (8, 8.5, 8.75, 9)},
    "squashfs, 1 GiB": {"resident": (14.25, 15.25, 15.5, 15.75), "anonymous": (5, 6, 6.25, 6.5)},
    "squashfs, 4 GiB": {"resident": (17.5, 18.5, 18.75, 19), "anonymous": (8, 9, 9.25, 9.5)},
    "squashfs, 16 GiB": {"resident": (18, 20.25, 20.5, 20.75),
                         "anonymous": (8.75, 10.75, 11.25, 11.5)},
}


def scatter_blocks(path, begin, size, step):
    """Makes the file `size` long, with a block that is not zero at each multiple of `step`."""
    rng = random.Random(70)
    with open(path, "r+b") as stream:
        stream.truncate(size)
        for offset in range(begin, size, step):
            stream.seek(offset)
            stream.write(rng.randbytes(BLOCK))


@functools.cache
def squashfs():
    """One of some 90 MiB: a third is compressed by it, a third can be compressed, and a third not.
    The same bytes each time, as far as mksquashfs is the same."""
    path = fixtures.workspace() / "squashfs"
    rng = random.Random(72)
    with tempfile.TemporaryDirectory(dir=fixtures.workspace()) as tree:
        for number in range(360):
            kind = ("conf", "txt", "bin")[number % 3]
            length = rng.choice((3000, 40000, 300000, 900000))
            file = pathlib.Path(tree, f"{number % 16:02}", f"{number}.{kind}")
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(rng.randbytes(length) if kind == "bin" else
                             rng.randbytes(length // 2).hex().encode())
        subprocess.run(
            ["mksquashfs", tree, str(path), "-noappend", "-quiet", "-no-progress", "-all-root",
             "-comp", "zstd", "-Xcompression-level", "1", "-action", "uncompressed@name(*.txt)"],
            env=dict(os.environ, SOURCE_DATE_EPOCH="0"), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, check=True)
    return path


def anonymous_kib(process):
    """Resident anonymous memory of the first child of a process now; 0 where there is none."""
    with contextlib.suppress(OSError):
        children = pathlib.Path(f"/proc/{process}/task/{process}/children").read_text().split()
        status = pathlib.Path(f"/proc/{children[0]}/status").read_text() if children else ""
        for line in status.splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1])
    return 0


def peaks_kib(command, folder):
    """Runs a command to its end: {"resident": the kernel's peak, "anonymous": the most that was
    seen when looked at every few milliseconds}."""
    peak, errors, most = folder / "peak", folder / "errors", 0
    # A child of this interpreter would start with the interpreter's peak: time is in between.
    with open(errors, "wb") as stream, subprocess.Popen(
            ["/usr/bin/time", "-f", "%M", "-o", str(peak), *command], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=stream) as process:
        while process.poll() is None:
            most = max(most, anonymous_kib(process.pid))
            time.sleep(0.005)
    if process.returncode != 0:
        raise AssertionError(f"exit {process.returncode}: {errors.read_text()}")
    return {"resident": int(peak.read_text()), "anonymous": most}


@unittest.skipIf(os.environ.get("VV_SAN"), "sanitizers need memory of their own")
class Memory(DeviceTest):
    """An install in as little memory as the manual promises."""

    def setUp(self):
        # In memory if there is room: thousands of holes take a disk a minute to free, where it is
        # told of each.
        fast = fixtures.fast_folder(600 * MIB)
        self.addCleanup(shutil.rmtree, fast, True)
        super().setUp()
        self.folder = fast
        self.part = fast / "part"

    def serve(self, average, tls):
        """The image of the partition as URL on a server."""
        image = fixtures.build(self.folder / "image.vvi", {"rootfs": self.part}, level=1,
                               chunk_avg=average)
        fixtures.sign(image)
        server = web_server.Nginx(self.folder, self.folder / "nginx", tls=tls)
        self.addCleanup(server.stop)
        return f"{server.url}/{image.name}"

    def check_peaks(self, name, average, records, tls=None):
        """Installs with each number of workers, and holds the peaks against the limits; the chunk
        table has at least so many records."""
        url, size = self.serve(average, tls), self.part.stat().st_size
        extra = f"ca={tls[0]}" if tls else ""
        content = fixtures.fingerprint(self.part)
        for workers in range(4):
            device = self.device(f"workers-{workers}", slot_size=size, extra=extra)
            device.conf.write_text(f"{device.conf.read_text()}\n[install]\nworkers={workers}\n")
            found = peaks_kib(device.command("install", url), self.folder)
            chunks = device.journal()["chunk_count"]
            told = f"{name}, {chunks} chunks, {workers} workers: peak"
            for kind, kib in found.items():
                told += f" {kib / 1024:.2f} MiB {kind}"
            print(f"\n    {told}", end=" ")
            self.assertGreaterEqual(chunks, records)
            self.assertEqual(fixtures.fingerprint(device.slot_file("b")), content)
            self.assertEqual(device.status()["trial"], "b")
            for kind, kib in found.items():
                limit = LIMITS_MIB[name][kind][workers]
                self.assertGreater(kib, 0, f"{kind}: nothing was seen")
                self.assertLessEqual(kib, limit * 1024, f"at most {limit} MiB expected: {told}")
            device.slot_file("b").unlink()

    def check_sparse(self, gib, step, average, tls=None):
        """With as many chunks as a partition has without zeros, or as a table can have."""
        self.part.touch()
        scatter_blocks(self.part, 0, gib * GIB, step)
        name = f"sparse, {gib} GiB{', https' if tls else ''}"
        self.check_peaks(name, average, 2 * gib * GIB // step, tls)

    def check_squashfs(self, gib, step, average):
        """A squashfs, and behind it as many chunks as if it filled the partition."""
        shutil.copyfile(squashfs(), self.part)
        self.assertLess(self.part.stat().st_size, SQUASHFS_ROOM)
        scatter_blocks(self.part, SQUASHFS_ROOM, gib * GIB, step)
        self.check_peaks(f"squashfs, {gib} GiB", average, 2 * (gib * GIB - SQUASHFS_ROOM) // step)

    def test_a_sparse_gib_over_http(self):
        self.check_sparse(1, 128 << 10, "64K")

    def test_a_sparse_gib_over_https(self):
        self.check_sparse(1, 128 << 10, "64K", fixtures.server_certificate())

    def test_4_sparse_gib_with_the_longest_table_over_http(self):
        self.check_sparse(4, 128 << 10, "4K")

    def test_16_sparse_gib_with_the_longest_table_over_http(self):
        self.check_sparse(16, 512 << 10, "4K")

    def test_a_gib_of_squashfs_over_http(self):
        self.check_squashfs(1, 128 << 10, "64K")

    def test_4_gib_of_squashfs_over_http(self):
        self.check_squashfs(4, 128 << 10, "64K")

    def test_16_gib_of_squashfs_over_http(self):
        self.check_squashfs(16, 512 << 10, "256K")


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
