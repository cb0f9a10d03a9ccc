# SPDX-License-Identifier: Apache-2.0
"""The userland `debian`: Debian with systemd, its packages set up under user-mode emulation."""

import functools
import pathlib

import images_cache
import packages
from tree import Tree

HERE = pathlib.Path(__file__).resolve().parent
ROOT = images_cache.ROOT
OVERLAY = HERE / "overlay/debian"
TV_API = ROOT / "tests/demo/overlay/usr/lib/vv/tv_api"
TMPFILES = ROOT / "docs/examples/tmpfiles-vv-update.conf"
UNITS = ROOT / "updater/systemd"
RELEASE = "bookworm"
# usr-is-merged instead of usrmerge, which brings all of Perl; the libraries are vv-update's.
PACKAGES = ("usr-is-merged", "systemd", "systemd-sysv", "udev", "iproute2", "procps", "curl",
            "libcurl4", "libssl3", "libjansson4", "libubootenv0.1", "libzstd1", "zlib1g")
# What no part of the board reads, by far the most of it udev's names of hardware.
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/i18n/*",
            "/usr/share/zoneinfo/*", "/usr/lib/udev/hwdb.d/*", "/lib/udev/hwdb.d/*",
            "/usr/lib/*/gconv/*")
# Logs and caches of the installation, which tell its time.
REMOVED = ("var/log", "var/cache", "var/lib/apt", "var/lib/dpkg/status-old", "etc/hostname",
           "etc/resolv.conf")


def make_base(work):
    """debian.tar: the tree as dpkg leaves it. Without root, mmdebstrap uses user namespaces."""
    images_cache.run(
        "mmdebstrap", "--quiet", "--variant=essential", "--format=tar",
        f"--architectures={packages.ARCHITECTURE}", f"--include={','.join(PACKAGES)}",
        "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
        *[f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT], RELEASE, work / "debian.tar")


@functools.cache
def base():
    """The path of debian.tar."""
    inputs = {"packages": packages.versions(PACKAGES), "left out": LEFT_OUT, "release": RELEASE,
              "maker": images_cache.file_hash(__file__)}
    return images_cache.product("debian", inputs, make_base) / "debian.tar"


class Debian:
    """Debian on a read-only root; what must be writable lies in memory."""

    def inputs(self):
        """What the tree depends on, besides what all systems carry."""
        return {"base": base().parent.name, "overlay": images_cache.folder_hash(OVERLAY),
                "tv_api": images_cache.file_hash(TV_API),
                "tmpfiles": images_cache.file_hash(TMPFILES),
                "units": images_cache.folder_hash(UNITS)}

    def tree(self):
        """The userland without what is common to both."""
        tree = Tree()
        tree.archive(base())
        for path in REMOVED:
            tree.remove(path)
        for path in ("var/log", "var/cache", "boot"):
            tree.folder(path)
        tree.file("etc/hostname", "vv-board\n")
        # Empty: made anew at each boot, and kept in memory.
        tree.file("etc/machine-id", "", 0o444)
        tree.file("etc/tmpfiles.d/vv-update.conf", TMPFILES)
        for unit in sorted(UNITS.iterdir()):
            tree.file(f"usr/lib/systemd/system/{unit.name}", unit)
        tree.file("usr/lib/vv/tv_api", TV_API, 0o755)
        tree.overlay(OVERLAY)
        return tree
