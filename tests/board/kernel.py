# SPDX-License-Identifier: Apache-2.0
"""Kernel and initramfs of the board: Debian's kernel, a static busybox, and the few modules between
power-on and a mounted root."""

import functools
import pathlib

import images_cache
import packages
from tree import Tree

HERE = pathlib.Path(__file__).resolve().parent
# Loaded in this order, each behind what it needs. The card, as which the medium is there to U-Boot
# and mostly to Linux too, and the disk as which recorded boards have it; file systems, the network,
# and the watchdog last: from loading it to opening it nothing watches.
MODULES = ("sdhci-pci", "crc32c_generic", "ext4", "squashfs", "virtio_pci", "virtio_blk",
           "virtio_net", "i6300esb")


def with_dependencies(modules, folder):
    """Paths of the modules and of all they need, in the order of loading."""
    needs = {}
    for line in (folder / "modules.dep").read_text().splitlines():
        path, _, rest = line.partition(":")
        needs[path] = rest.split()
    by_name = {pathlib.Path(path).stem: path for path in needs}
    order = []
    for name in modules:
        for path in [*reversed(needs[by_name[name]]), by_name[name]]:
            if path not in order:
                order.append(path)
    return order


def make_base(work):
    """Image, modules and busybox out of their packages."""
    name, _ = packages.kernel()
    packages.unpack(name, work)
    packages.unpack(packages.BUSYBOX, work)
    release = name.removeprefix("linux-image-")
    images_cache.run("depmod", "-b", work, release)
    found = work / "lib/modules" / release
    (work / "modules").mkdir()
    order = with_dependencies(MODULES, found)
    for path in order:
        (found / path).rename(work / "modules" / pathlib.Path(path).name)
    (work / "order").write_text("".join(f"{pathlib.Path(p).name}\n" for p in order))
    (work / f"boot/vmlinuz-{release}").rename(work / "Image")
    (work / "bin/busybox").rename(work / "busybox")
    for rest in ("boot", "lib", "bin", "usr"):
        images_cache.run("rm", "-rf", work / rest)


@functools.cache
def base():
    """The folder with Image, busybox, modules/ and their order."""
    busybox = packages.record(packages.BUSYBOX)["Version"]
    inputs = {"packages": [*packages.kernel(), busybox], "modules": MODULES,
              "maker": images_cache.file_hash(__file__)}
    return images_cache.product("kernel", inputs, make_base)


@functools.cache
def applets():
    """What this busybox can do, by its own word."""
    return images_cache.run("qemu-aarch64-static", base() / "busybox", "--list").decode().split()


def make_initramfs(init):
    """A function that writes initrd.gz with that /init into a folder."""
    def make(work):
        tree = Tree()
        for name in ("dev", "proc", "sys", "data", "root"):
            tree.folder(name)
        tree.file("bin/busybox", base() / "busybox", 0o755)
        for applet in applets():
            if applet != "busybox":
                tree.link(f"bin/{applet}", "busybox")
        tree.file("init", init, 0o755)
        tree.file("modules/order", base() / "order")
        for name in (base() / "order").read_text().split():
            tree.file(f"modules/{name}", base() / "modules" / name)
        tree.write_initramfs(work / "initrd.gz")
    return make


@functools.cache
def initramfs(kind="init"):
    """The path of initrd.gz; kind is the file in overlay/initramfs that becomes /init."""
    init = HERE / "overlay/initramfs" / kind
    inputs = {"base": base().name, "init": images_cache.file_hash(init),
              "maker": [images_cache.file_hash(HERE / name) for name in ("kernel.py", "tree.py")]}
    return images_cache.product(f"initramfs-{kind}", inputs, make_initramfs(init)) / "initrd.gz"
