#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The full-system images of the virtual board: kernel, initramfs, userland, vv-update and stand-ins
of the VV services, as signed images and as what the factory writes to a slot.

usage: images.py --board small|debian     builds what is not built yet, and lists it

VV_BIN is the directory of the native programs, VV_BOARD_BIN that of the arm64 ones, VV_BOARD_DIR
keeps what is built (default build/board). Everything is kept by content: see images_cache.py.
"""

import argparse
import dataclasses
import functools
import os
import pathlib
import time

import images_cache
import kernel
import rootfs
from images_cache import ROOT

BIN = pathlib.Path(os.environ.get("VV_BIN", ROOT / "build/release"))
PRODUCT, COMPATIBLE = "vv-edge", "vv-board"


@dataclasses.dataclass(frozen=True)
class Release:
    """One release of the full system, and what is wrong with it."""

    index: int
    model: bool = True    # tv_api answers 500 without its model
    init: str = "init"    # the file in overlay/initramfs
    kernel: bool = True   # without one U-Boot finds nothing to load
    program: str = ""     # what stands in the place of vv-update; None: nothing
    files: tuple = ()     # others that stand in it: (path, text)
    boards: tuple = ("small", "debian")


# The state directory on a file system of its own, which cannot be mounted.
NOT_A_SQUASHFS = """[Mount]
What=/dev/disk/by-partlabel/data
Where=/data/vv-update
Type=squashfs
"""
FACTORY = "1.0"
RELEASES = {
    FACTORY: Release(1),
    "2.0": Release(2),
    "3.0": Release(3, model=False),
    "4.0": Release(4, init="panic"),
    "5.0": Release(5, kernel=False),
    "6.0": Release(6, program=None),
    "7.0": Release(7, program="#!/bin/sh\nkill -SEGV $$\n", boards=("debian",)),
    "8.0": Release(8, files=(("etc/systemd/system/data-vv\\x2dupdate.mount", NOT_A_SQUASHFS),),
                   boards=("debian",)),
    "9.0": Release(9, files=(("usr/lib/vv/heartbeat", "#!/bin/sh\nexec sleep 86400\n"),),
                   boards=("small",)),
}


@functools.cache
def keys():
    """The folder of the signing keys, made once and never tracked."""
    def make(work):
        images_cache.run(BIN / "vv-image", "keygen", work / "keys")
    return images_cache.product("keys", {}, make) / "keys"


def trust():
    """The folder of certificates that devices trust."""
    return keys() / "trust"


def build_release(image, version, partition, *options):
    """Builds and signs the image of a release."""
    images_cache.run(
        BIN / "vv-image", "build", "-o", image, "--product", PRODUCT, "--compatible", COMPATIBLE,
        "--version", version, "--release-index", RELEASES[version].index, "--level", 1,
        "--partition", f"rootfs={partition}", *options)
    images_cache.run(BIN / "vv-image", "sign", image, "--cert", keys() / "release.pem",
                     "--key", keys() / "release.key")


def release_inputs(partition):
    """All that the image of a release depends on, besides the options it is built with."""
    return {"rootfs": partition.parent.name, "keys": keys().parent.name,
            "vv-image": images_cache.file_hash(BIN / "vv-image"),
            "maker": images_cache.file_hash(__file__)}


class Images:
    """The images of one userland."""

    def __init__(self, board):
        self.board = board
        self.userland = rootfs.USERLANDS[board]()

    def _inputs(self, version):
        """All that the root file system of a release depends on."""
        release = RELEASES[version]
        return {"version": version, "release": dataclasses.asdict(release),
                "common": rootfs.inputs(), "userland": self.userland.inputs(),
                "trust": images_cache.file_hash(trust() / "root.pem"),
                "kernel": kernel.base().name,
                "initramfs": kernel.initramfs(release.init).parent.name,
                "maker": images_cache.file_hash(__file__)}

    def rootfs(self, version):
        """The path of the partition image of a release."""
        def make(work):
            release = RELEASES[version]
            tree = self.userland.tree()
            rootfs.common(tree, trust() / "root.pem", version)
            if release.program is None:
                tree.remove("usr/bin/vv-update")
            elif release.program:
                tree.file("usr/bin/vv-update", release.program, 0o755)
            for path, text in release.files:
                tree.file(path, text, 0o755 if text.startswith("#!") else 0o644)
            if release.model:
                tree.file("usr/lib/vv/models/current", f"model of {version}\n")
            if release.kernel:
                tree.file("boot/Image", kernel.base() / "Image")
            tree.file("boot/initrd.gz", kernel.initramfs(release.init))
            tree.write_squashfs(work / "rootfs.squashfs")
        name = f"{self.board}-{version}-rootfs"
        return images_cache.product(name, self._inputs(version), make) / "rootfs.squashfs"

    def versions(self):
        """Of the releases that there are for it."""
        return [version for version, release in RELEASES.items() if self.board in release.boards]

    def factory_rootfs(self):
        """What the factory writes to the first slot."""
        return self.rootfs(FACTORY)

    def release(self, version):
        """The path of the signed image of a release."""
        partition = self.rootfs(version)

        def make(work):
            build_release(work / f"edge-{version}.vvi", version, partition)
        folder = images_cache.product(f"{self.board}-{version}-image", release_inputs(partition),
                                      make)
        return folder / f"edge-{version}.vvi"


def main():
    """Builds all releases of one userland."""
    parser = argparse.ArgumentParser(description="Builds the images of the virtual board.")
    parser.add_argument("--board", choices=sorted(rootfs.USERLANDS), default="small")
    began = time.monotonic()
    images = Images(parser.parse_args().board)
    for version in images.versions():
        for path in (images.rootfs(version), images.release(version)):
            print(f"board: {path.stat().st_size:>10} bytes  {path}")
    print(f"board: {len(images.versions())} releases in {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    main()
