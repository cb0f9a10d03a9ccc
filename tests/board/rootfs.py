# SPDX-License-Identifier: Apache-2.0
"""The userlands of the board. Both carry vv-update, its configuration, and stand-ins of the VV
services; `small` is a static busybox and stands here, `debian` is in debian.py."""

import functools
import os
import pathlib
import re

import debian
import images_cache
import kernel
import packages
from tree import Tree

HERE = pathlib.Path(__file__).resolve().parent
ROOT = images_cache.ROOT
OVERLAY = HERE / "overlay"
INIT = ROOT / "updater/init"
# The programs of the device, cross-built.
BIN = pathlib.Path(os.environ.get("VV_BOARD_BIN", ROOT / "build/aarch64-linux-gnu/board"))
EMULATOR = "qemu-aarch64-static"
LIBRARIES = "usr/lib/aarch64-linux-gnu"
LOADER = "usr/lib/ld-linux-aarch64.so.1"


def make_programs(work):
    """vv-update without its symbols and without the id that depends on where it was built, and
    the tools of libubootenv."""
    images_cache.run("aarch64-linux-gnu-strip", "--remove-section=.note.gnu.build-id",
                     "-o", work / "vv-update", BIN / "vv-update")
    packages.unpack(packages.ENV_TOOLS, work)
    (work / "usr/bin/fw_printenv").rename(work / "fw_printenv")
    images_cache.run("rm", "-rf", work / "usr")


@functools.cache
def programs():
    """The folder of the arm64 programs that both userlands carry."""
    if not (BIN / "vv-update").exists():
        raise SystemExit(f"board: {BIN}/vv-update is not there: make board builds it")
    inputs = {"vv-update": images_cache.file_hash(BIN / "vv-update"),
              "tools": packages.record(packages.ENV_TOOLS)["Version"],
              "maker": images_cache.file_hash(__file__)}
    return images_cache.product("programs", inputs, make_programs)


def libraries(*binaries):
    """{name: path} of the shared libraries that arm64 programs load, as their loader finds them."""
    found = {}
    for binary in binaries:
        text = images_cache.run(EMULATOR, binary, env={"QEMU_SET_ENV": "LD_TRACE_LOADED_OBJECTS=1"})
        for name, path in re.findall(r"^\s*(\S+) => (/\S+) \(", text.decode(), re.M):
            found[name] = pathlib.Path(path).resolve()
        loader = re.search(r"^\s*(/\S+/ld-linux-\S+) \(", text.decode(), re.M).group(1)
        found[pathlib.Path(loader).name] = pathlib.Path(loader).resolve()
    return found


class Small:
    """Everything in a few megabytes: boots in seconds."""

    def __init__(self):
        self.folder = programs()
        self.binaries = [self.folder / "vv-update", self.folder / "fw_printenv"]
        self.libraries = libraries(*self.binaries)

    def inputs(self):
        """What the tree depends on, besides the programs."""
        return {"libraries": {n: images_cache.file_hash(p) for n, p in self.libraries.items()},
                "overlay": images_cache.folder_hash(OVERLAY / "small"),
                "init": images_cache.folder_hash(INIT),
                "base": kernel.base().name}

    def tree(self):
        """The userland without what is common to both."""
        tree = Tree()
        for name in ("dev", "proc", "sys", "run", "tmp", "root", "var", "etc", "usr/sbin"):
            tree.folder(name)
        for name in ("bin", "sbin", "lib"):
            tree.link(name, f"usr/{name}")
        tree.link("var/run", "/run")
        tree.link("var/lock", "/run/lock")
        tree.link("var/tmp", "/tmp")
        tree.file("usr/bin/busybox", kernel.base() / "busybox", 0o755)
        for applet in kernel.applets():
            if applet != "busybox":
                tree.link(f"usr/bin/{applet}", "busybox")
        for name in ("init", "reboot", "poweroff"):
            tree.link(f"usr/sbin/{name}", "../bin/busybox")
        for name, path in self.libraries.items():
            home = "usr/lib" if name == pathlib.Path(LOADER).name else LIBRARIES
            tree.file(f"{home}/{name}", path, 0o755)
        tree.file("etc/passwd", "root::0:0:root:/root:/bin/sh\n")
        tree.file("etc/group", "root:x:0:\n")
        for script in sorted(INIT.iterdir()):
            tree.file(f"usr/lib/vv-update/{script.name}", script, 0o755)
        tree.overlay(OVERLAY / "small")
        return tree


USERLANDS = {"small": Small, "debian": debian.Debian}


def common(tree, trust, version):
    """What every system of this device carries."""
    folder = programs()
    tree.overlay(OVERLAY / "common")
    tree.file("usr/bin/vv-update", folder / "vv-update", 0o755)
    tree.file("usr/bin/fw_printenv", folder / "fw_printenv", 0o755)
    tree.link("usr/bin/fw_setenv", "fw_printenv")
    tree.file("etc/fw_env.config", ROOT / "bootloader/fw_env.config")
    tree.file("etc/vv-update/trust/root.pem", trust)
    tree.link("etc/vv-update/conf.d", "/data/conf.d")
    tree.file("etc/vv-release", f"NAME=vv-edge\nVERSION={version}\n")
    tree.folder("data")
    tree.folder("usr/lib/vv/models")


def inputs():
    """What common() depends on."""
    return {"programs": programs().name, "overlay": images_cache.folder_hash(OVERLAY / "common"),
            "fw_env": images_cache.file_hash(ROOT / "bootloader/fw_env.config"),
            "maker": [images_cache.file_hash(HERE / name) for name in ("rootfs.py", "tree.py")]}
