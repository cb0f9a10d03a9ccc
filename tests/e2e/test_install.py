# SPDX-License-Identifier: Apache-2.0
"""Installing a good image, from a file and from a real web server."""

import json
import os
import subprocess
import unittest

import fixtures
from fixtures import MIB, DeviceTest
import web_server


class Install(DeviceTest):
    """What happens when nothing is wrong."""

    def nginx(self, **options):
        """nginx over the workspace, until the end of the test."""
        server = web_server.Nginx(fixtures.workspace(), self.folder / "nginx", **options)
        self.addCleanup(server.stop)
        return server

    def test_an_image_from_a_file_is_identical_in_the_slot_and_boots_next_on_trial(self):
        image, part = fixtures.release()
        device = self.device()
        done = device.run("install", image)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check_installed(device, part)

    def test_an_image_over_http_is_identical_in_the_slot_and_fetched_once(self):
        image, part = fixtures.release()
        server = self.nginx()
        device = self.device()
        done = device.run("install", f"{server.url}/{image.name}")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check_installed(device, part)
        fetched = sum(row[3] for row in server.requests())
        self.assertLessEqual(fetched, image.stat().st_size)
        self.assertTrue(all(row[2] == 206 for row in server.requests()), server.requests())

    def test_an_image_over_https_needs_the_right_ca(self):
        image, part = fixtures.release()
        tls = fixtures.server_certificate()
        server = self.nginx(tls=tls)
        stranger = self.device("stranger")
        self.check_refused(stranger.run("install", f"{server.url}/{image.name}"),
                           fixtures.NETWORK, "certificate")
        device = self.device(extra=f"ca={tls[0]}")
        done = device.run("install", f"{server.url}/{image.name}")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check_installed(device, part)

    def test_the_same_install_again_fetches_no_payload_and_stores_nothing(self):
        image, _ = fixtures.release()
        server = self.nginx()
        device = self.device()
        url = f"{server.url}/{image.name}"
        self.assertEqual(device.run("install", url).returncode, 0)
        environment = (device.dir / "uboot.env").read_bytes()
        first = sum(row[3] for row in server.requests())
        done = device.run("install", url, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((device.dir / "uboot.env").read_bytes(), environment)
        self.assertLessEqual(sum(row[3] for row in server.requests()) - first, 256 << 10)
        self.assertEqual(last_json(done.stdout)["written_bytes"], 0)

    def test_a_dry_run_changes_no_byte(self):
        image, _ = fixtures.release()
        device = self.device()
        before = {p: p.read_bytes() for p in device.dir.glob("*.*")}
        done = device.run("install", image, "--dry-run")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual({p: p.read_bytes() for p in device.dir.glob("*.*")}, before)

    def test_without_activation_the_old_slot_boots_until_activate(self):
        image, part = fixtures.release()
        device = self.device()
        self.assertEqual(device.run("install", image, "--no-activate").returncode, 0)
        status = device.status()
        self.assertEqual((status["next_boot"], status["trial"]), ("a", None))
        self.assertEqual(status["slots"]["b"]["state"], "installed")
        self.assertEqual(device.run("activate").returncode, 0)
        self.check_installed(device, part)

    def test_several_partitions_go_in_under_one_signature(self):
        parts = {"boot": fixtures.partition_file(777 * 1024 + 13, 5),
                 "rootfs": fixtures.partition_file(2 * MIB, 6)}
        image = fixtures.sign(fixtures.build(self.folder / "two.vvi", parts))
        device = self.device(partitions=("rootfs", "boot"))
        done = device.run("install", image)
        self.assertEqual(done.returncode, 0, done.stderr)
        for name, part in parts.items():
            self.assertTrue(fixtures.same_start(device.slot_file("b", name), part), name)

    def test_every_codec_and_cut_installs(self):
        part = fixtures.partition_file(1 * MIB + 4097, 7)
        for codec in ("zstd", "zlib", "raw"):
            for cut in ("block", "byte", "fixed"):
                with self.subTest(codec=codec, cut=cut):
                    options = {"codec": codec, "cut": cut}
                    image = fixtures.sign(fixtures.build(
                        self.folder / f"{codec}-{cut}.vvi", {"rootfs": part}, **options))
                    device = self.device(f"{codec}-{cut}")
                    done = device.run("install", image)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.check_installed(device, part)

    def test_the_bootcount_contract_installs_too(self):
        image, part = fixtures.release()
        device = self.device(contract="bootcount")
        done = device.run("install", image)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check_installed(device, part)
        environment = device.environment()
        self.assertEqual((environment["rpipart"], environment["upgrade_available"]), ("3", "1"))

    def test_only_the_chunks_that_differ_are_fetched_and_written(self):
        first, part = fixtures.release(size=8 * MIB, seed=20)
        changed = self.folder / "changed"
        data = bytearray(part.read_bytes())
        data[5 * MIB:5 * MIB + 4096] = os.urandom(4096)
        changed.write_bytes(data)
        second = fixtures.sign(fixtures.build(self.folder / "second.vvi", {"rootfs": changed},
                                              version="2.1", index=3))
        device = self.device(slot_size=8 * MIB)
        self.assertEqual(device.run("install", first).returncode, 0)
        done = device.run("install", second, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        report = last_json(done.stdout)
        self.assertLess(report["written_bytes"], 2 * MIB + MIB // 2)
        self.assertGreater(report["reused_bytes"], 5 * MIB)
        self.check_installed(device, changed)


class Large(DeviceTest):
    """Sizes that only fit when memory is bounded and numbers are 64 bits wide."""

    @unittest.skipIf(os.environ.get("VV_SAN"), "sanitizers need memory of their own")
    def test_one_gib_over_http_stays_within_16_mib_of_memory(self):
        part = fixtures.workspace() / "one-gib"
        with open(part, "wb") as stream:
            for index in range(16):
                stream.seek(index * 64 * MIB)
                stream.write(fixtures.content(24 * MIB, index))
            stream.truncate(1024 * MIB)
        image = fixtures.sign(fixtures.build(self.folder / "gib.vvi", {"rootfs": part}, level=1))
        server = web_server.Nginx(self.folder, self.folder / "nginx")
        self.addCleanup(server.stop)
        device = self.device(slot_size=1024 * MIB)
        # A child of this interpreter would start with the interpreter's peak: time is in between.
        peak = self.folder / "peak"
        done = subprocess.run(
            ["/usr/bin/time", "-f", "%M", "-o", str(peak),
             *device.command("install", f"{server.url}/{image.name}")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        peak_kib = int(peak.read_text())
        print(f"\n    peak RSS {peak_kib / 1024:.1f} MiB", end=" ")
        self.assertLessEqual(peak_kib, 16 * 1024)
        self.check_installed(device, part)
        part.unlink()

    def test_a_sparse_partition_of_six_gib_installs(self):
        part = self.folder / "six-gib"
        with open(part, "wb") as stream:
            stream.write(fixtures.content(1 * MIB, 30))
            stream.seek(5 << 30)
            stream.write(fixtures.content(1 * MIB, 31))
            stream.truncate(6 << 30)
        image = fixtures.sign(fixtures.build(self.folder / "six.vvi", {"rootfs": part}))
        device = self.device(slot_size=6 << 30)
        done = device.run("install", image, seconds=600)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(device.slot_file("b"), "rb") as slot, open(part, "rb") as built:
            for offset in (0, 1 << 30, (4 << 30) + 4096, 5 << 30, (6 << 30) - MIB):
                slot.seek(offset)
                built.seek(offset)
                self.assertEqual(slot.read(MIB), built.read(MIB), f"at {offset}")
        self.assertLess(device.slot_file("b").stat().st_blocks * 512, 64 * MIB)


def last_json(text):
    """The last line of --json output."""
    return json.loads(text.strip().splitlines()[-1])


if __name__ == "__main__":
    unittest.main()
