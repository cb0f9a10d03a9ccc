# SPDX-License-Identifier: Apache-2.0
"""What an update fetches of a release when the device has most of it already, counted by nginx."""

import json
import os
import random
import struct
import subprocess
import unittest

import fixtures
from fixtures import MIB, DeviceTest
import web_server

SIZE = 24 * MIB
BLOCK = 4096
# A range goes on over gaps of up to that much (updater/fetch.h).
GAP_MAX = 16 << 10
GAPS = 4  # of those there are at most here
# What is asked for at least (updater/release.h).
FIRST_RANGE = 16 << 10


def changed(data, seed, places=6, moved=True):
    """The next release: a file grew near the beginning, so that all behind it moved, and some
    blocks are others."""
    rng = random.Random(seed)
    size = len(data)
    if moved:
        at = size // 8 // BLOCK * BLOCK
        data = (data[:at] + rng.randbytes(5 * BLOCK) + data[at:])[:size]
    data = bytearray(data)
    for _ in range(places):
        at = rng.randrange(16, size // BLOCK) * BLOCK
        data[at:at + BLOCK] = rng.randbytes(BLOCK)
    return bytes(data)


def table(image):
    """[(raw hash, stored length, raw length, codec)] of an image, and where its payload begins."""
    head = image.read_bytes()[:128]
    begin, size = struct.unpack_from("<QI", head, 40)
    payload, = struct.unpack_from("<Q", head, 56)
    rows = []
    with open(image, "rb") as stream:
        stream.seek(begin)
        for _ in range(size // 64):
            record = stream.read(64)
            stored, = struct.unpack_from("<I", record, 56)
            rows.append((record[:32], stored, int.from_bytes(record[60:63], "little"), record[63]))
    return rows, payload


def new_bytes(image, *others):
    """Stored bytes of the chunks that none of the other images has."""
    known = {row[0] for other in others for row in table(other)[0]}
    return sum({row[0]: row[1] for row in table(image)[0] if row[0] not in known}.values())


class Releases(DeviceTest):
    """Releases on nginx, and a count of what is sent of them."""

    def setUp(self):
        super().setUp()
        self.server = web_server.Nginx(self.folder, self.folder / "nginx")
        self.addCleanup(self.server.stop)
        self.images = []
        self.parts = []
        self.beside = 0  # bytes of other files, in the install before

    def releases(self, count, **options):
        """Images and partition files, each made from the one before; "1.0" is the first."""
        data = fixtures.content(SIZE, 40)
        for index in range(1, count + 1):
            part = self.folder / f"part-{index}"
            part.write_bytes(data)
            self.parts.append(part)
            self.images.append(fixtures.sign(fixtures.build(
                self.folder / f"{index}.vvi", {"rootfs": part}, f"{index}.0", index)))
            data = changed(data, index, **options)

    def install(self, device, image):
        """The report, and what the server has sent of the image."""
        before, all_before = self.sent(image), self.sent_of_all()
        done = device.run("install", f"{self.server.url}/{image.name}", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout.splitlines()[-1])
        sent = self.sent(image) - before
        # What a server says of a delta pack that is not there is fetched, too.
        self.beside = self.sent_of_all() - all_before - sent
        return report, sent

    def sent_of_all(self):
        """Bytes that the server has sent so far."""
        return sum(row[3] for row in self.server.requests())

    def sent(self, file):
        """Bytes of it that the server has sent so far."""
        return sum(row[3] for row in self.server.requests() if row[1] == f"/{file.name}")

    def settle(self, device):
        """The new system runs and is confirmed."""
        slot = device.boot()
        self.assertEqual(device.run("confirm").returncode, 0)
        self.running = [(device.slot_file(slot), fixtures.fingerprint(device.slot_file(slot)))]
        return slot

    def check_sent(self, report, sent, image, needed):
        """Head, table, the chunks that were needed, and gaps between them."""
        _, payload = table(image)
        ranges = sum(1 for row in self.server.requests() if row[1] == f"/{image.name}")
        self.assertEqual(report["planned_bytes"], needed)
        self.assertEqual(report["fetched_bytes"], sent + self.beside)
        self.assertGreaterEqual(sent, needed)
        # A gap that is read over lies between two ranges that would be.
        self.assertLessEqual(sent, max(payload, FIRST_RANGE) + needed + GAP_MAX * GAPS)
        print(f"\n    {sent >> 10} KiB sent in {ranges} answers, {needed >> 10} KiB needed, "
              f"image {image.stat().st_size >> 10} KiB", end=" ")


class Delta(Releases):
    """One release after another."""

    def test_the_release_that_runs_is_copied_from(self):
        self.releases(2)
        device = self.device(slot_size=SIZE)
        self.assertEqual(device.run("install", self.images[0]).returncode, 0)
        self.assertEqual(self.settle(device), "b")
        report, sent = self.install(device, self.images[1])
        self.check_installed(device, self.parts[1], slot="a")
        self.check_sent(report, sent, self.images[1], new_bytes(*reversed(self.images)))
        self.assertEqual(report["copied_bytes"], report["planned_copy_bytes"])
        self.assertGreater(report["copied_bytes"], SIZE // 3)
        self.assertLess(sent, self.images[1].stat().st_size // 4)

    def test_two_releases_back_and_another_in_the_target(self):
        self.releases(4)
        first, second, _, fourth = self.images
        device = self.device(slot_size=SIZE)
        self.assertEqual(device.run("install", first).returncode, 0)
        self.settle(device)
        self.assertEqual(device.run("install", second).returncode, 0)
        self.assertEqual(self.settle(device), "a")
        report, sent = self.install(device, fourth)
        self.check_installed(device, self.parts[3])
        # What both have, and what only the target has and is not written over too early.
        self.assertLessEqual(report["planned_bytes"], new_bytes(fourth, second))
        self.assertGreaterEqual(report["planned_bytes"], new_bytes(fourth, first, second))
        self.check_sent(report, sent, fourth, report["planned_bytes"])
        self.assertLess(sent, fourth.stat().st_size // 3)

    def test_a_factory_system_without_a_record_is_searched(self):
        self.releases(2)
        device = self.device(slot_size=SIZE + 8 * MIB)
        with open(device.slot_file("a"), "r+b") as stream:
            stream.write(self.parts[0].read_bytes())
        self.running = [(device.slot_file("a"), fixtures.fingerprint(device.slot_file("a")))]
        report, sent = self.install(device, self.images[1])
        self.check_installed(device, self.parts[1])
        needed = new_bytes(*reversed(self.images))
        # The last chunk of the old image does not end where its partition does.
        self.assertLessEqual(report["planned_bytes"] - needed, 256 << 10)
        self.check_sent(report, sent, self.images[1], report["planned_bytes"])

    def test_what_is_in_place_is_not_written(self):
        self.releases(2, places=2, moved=False)
        device = self.device(slot_size=SIZE)
        self.assertEqual(device.run("install", self.images[0]).returncode, 0)
        # The release in slot b is given up for the next one, which goes to the same slot.
        report, sent = self.install(device, self.images[1])
        self.check_installed(device, self.parts[1])
        self.check_sent(report, sent, self.images[1], new_bytes(*reversed(self.images)))
        self.assertGreaterEqual(report["reused_bytes"], SIZE * 95 // 100)
        self.assertLessEqual(report["written_bytes"], SIZE * 5 // 100)
        self.assertLessEqual(report["written_bytes"],
                             report["planned_write_bytes"] + (256 << 10) + BLOCK)

    def test_a_dry_run_says_the_same_and_changes_nothing(self):
        self.releases(2)
        device = self.device(slot_size=SIZE)
        self.assertEqual(device.run("install", self.images[0]).returncode, 0)
        self.settle(device)
        before = fixtures.sha256(device.slot_file("a"))
        done = device.run("install", self.images[1], "--dry-run", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        plan = json.loads(done.stdout.splitlines()[-1])
        self.assertEqual(fixtures.sha256(device.slot_file("a")), before)
        text = device.run("install", self.images[1], "--dry-run")
        self.assertRegex(text.stdout, r"to fetch, .* to copy, .* to write, .* to zero, .* in place "
                                      r"already\.\n")
        report, _ = self.install(device, self.images[1])
        for key in ("planned_bytes", "planned_copy_bytes", "planned_zero_bytes",
                    "planned_write_bytes", "reused_bytes"):
            self.assertEqual(plan[key], report[key], key)
        self.assertEqual(plan["copied_bytes"], 0)

    @unittest.skipIf(os.environ.get("VV_SAN"), "sanitizers need memory of their own")
    def test_records_of_the_largest_size_take_no_memory_of_their_own(self):
        options = {"cut": "fixed", "chunk_avg": BLOCK, "level": 1}
        rng = random.Random(50)
        unit = rng.randbytes(BLOCK - 8)
        blocks = [index.to_bytes(8, "little") + unit for index in range(65536)]
        part = self.folder / "large"
        for version in (1, 2):
            part.write_bytes(b"".join(blocks))
            self.images.append(fixtures.sign(fixtures.build(
                self.folder / f"{version}.vvi", {"rootfs": part}, f"{version}.0", version,
                **options)))
            rng.shuffle(blocks)
        device = self.device(slot_size=65536 * BLOCK)
        _, first = self.install_measured(device, self.images[0])
        self.settle(device)
        report, second = self.install_measured(device, self.images[1])
        self.check_installed(device, part, slot="a")
        self.assertEqual(report["planned_bytes"], 0)
        print(f"\n    peak RSS {first / 1024:.1f} and {second / 1024:.1f} MiB", end=" ")
        self.assertLessEqual(second, first + 1024)

    def install_measured(self, device, image):
        """The report, and the peak of memory in KiB. A child of this interpreter would start with
        the interpreter's peak: time is in between."""
        peak = self.folder / "peak"
        done = subprocess.run(
            ["/usr/bin/time", "-f", "%M", "-o", str(peak),
             *device.command("install", f"{self.server.url}/{image.name}", "--json")],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout.splitlines()[-1]), int(peak.read_text())
