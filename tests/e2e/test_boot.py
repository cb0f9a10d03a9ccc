# SPDX-License-Identifier: Apache-2.0
"""What a booted slot answers comes from the slot file itself."""

import os
import pathlib
import shutil
import subprocess

import fixtures
from fixtures import MIB, DeviceTest

DEMO = pathlib.Path(__file__).resolve().parent.parent / "demo"


class BootedSlot(DeviceTest):
    """A small file system with the stand-in services and this machine's perl."""

    def tree(self):
        """A root file system that can run the services, as far as this machine's perl goes."""
        root = self.folder / "root"
        shutil.copytree(DEMO / "overlay", root)
        (root / "usr/lib/vv/models").mkdir()
        (root / "usr/lib/vv/models/current").write_text("a model\n")
        (root / "etc").mkdir()
        (root / "etc/vv-release").write_text("NAME=vv-edge\nVERSION=2.0\n")
        perl = subprocess.run(["ldd", "/usr/bin/perl"], stdout=subprocess.PIPE, check=True,
                              text=True).stdout.split()
        for path in ["/usr/bin/perl", *(word for word in perl if word.startswith("/"))]:
            # Where the merged /usr of Debian has it, whatever name it was found by.
            real = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
            (root / real.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, root / real.lstrip("/"))
        base = next(pathlib.Path("/usr/lib").glob("*/perl-base"))
        shutil.copytree(base, root / str(base).lstrip("/"))
        return root

    def test_a_byte_of_the_release_file_inside_the_slot_changes_what_the_service_answers(self):
        part = self.folder / "rootfs.ext4"
        with open(part, "wb") as stream:
            stream.truncate(64 * MIB)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d",
                        str(self.tree()), str(part)], check=True)
        image = fixtures.sign(fixtures.build(self.folder / "boot.vvi", {"rootfs": part}))
        device = self.device(slot_size=64 * MIB)
        self.assertEqual(device.run("install", image).returncode, 0)
        self.assertEqual(device.power_on(), "b")
        self.assertEqual(device.tv_api(), (200, '{"status":"ok","version":"2.0"}'))
        device.power_off()
        slot = bytearray(device.slot_file("b").read_bytes())
        self.assertEqual(slot.count(b"VERSION=2.0\n"), 1)
        slot[slot.index(b"VERSION=2.0\n") + len("VERSION=")] = ord("7")
        device.slot_file("b").write_bytes(slot)
        self.assertEqual(device.power_on(), "b")
        self.assertEqual(device.tv_api(), (200, '{"status":"ok","version":"7.0"}'))
