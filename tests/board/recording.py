# SPDX-License-Identifier: Apache-2.0
"""A whole update on the board, recorded: every write to the card, from U-Boot and from Linux, in
the order in which they were done, with the flushes between them.

    fresh   into a slot that was never used
    used    into one that holds a release and that the environment names: here "invalidate" counts

A recording is a folder, kept by content:

    card.img    the card before the first power-on
    log.img     what blklogwrites of QEMU wrote down
    layout      where what lies on the card, and what it may hold: read by the checker
    console.log
"""

import functools
import os
import shutil

import card
import disk
import folders
import images
import images_cache
import qemu
import rig
import uboot
import virtual_device

NAMES = ("fresh", "used")
CONTRACT = "order"
FROM, TO = images.FACTORY, "2.0"
# What is confirmed raises the floor, so that there is one to be looked at.
FLOOR = 2
PATCHES = images_cache.ROOT / "tests/mutants"
PLANTED_IN = ("base", "format", "keys", "bootloader", "updater")
DEVICE = "/dev/vda"
# Linux has the card by another name than an ordinary board.
SETTINGS = card.SETTINGS[CONTRACT] + "env_config=/data/fw_env.config\n"


class RecordedRig(rig.Rig):
    """A board whose Linux sees its card as a disk that wants to be flushed."""

    PARTITION = "vda{}"

    def __init__(self, path, log=None):
        self.log = log
        super().__init__(path, "small", variables())

    def medium(self):
        """As two faces of one, every write to it written down."""
        return qemu.FlushedCard(self.card, self.log)

    def install_recorded(self, program="vv-update"):
        """Installs what the recording is about."""
        self.must(f"{program} install {served(release())} 2>&1", rig.INSTALL_S)

    def update(self):
        """From the factory's release to the confirmed next one."""
        self.boots(FROM, "a")
        self.expect_confirmed()
        self.install_recorded()
        self.reboot()
        self.boots(TO, "b")
        self.expect_confirmed()

    def expect_confirmed(self):
        """What runs is kept."""
        code = self.confirmed()
        if code != 0:
            raise AssertionError(f"release {self.version} in slot {self.slot}: confirm ended with "
                                 f"{code}:\n{self.must('cat /run/vv-confirm.log')}")


def variables():
    """The board's own variables: nobody changes them."""
    built_in = card.built_in()
    return {**built_in, **card.FOREIGN,
            "bootargs": f"{built_in['bootargs']} {qemu.FlushedCard.BOOTARGS}"}


@functools.cache
def release():
    """The signed image that is installed."""
    userland = rig.userland("small")
    partition = userland.rootfs(TO)

    def make(work):
        images.build_release(work / f"floor-{TO}.vvi", TO, partition,
                             "--min-release-index", FLOOR)
    inputs = {**images.release_inputs(partition), "floor": FLOOR}
    return images_cache.product("recorded-image", inputs, make) / f"floor-{TO}.vvi"


def served(path):
    """Where the guest finds a file."""
    link = rig.server().root / f"{path.parent.name}-{path.name}"
    if not link.exists():
        link.symlink_to(path)
    return f"http://{rig.HOST}:{rig.server().port}/{link.name}"


def make_card(path, name):
    """The card as the factory leaves it, with a fw_env.config that names the disk."""
    config = (uboot.ROOT / "bootloader/fw_env.config").read_text().replace("/dev/mmcblk0", DEVICE)
    card.make_factory_card(path, rig.userland("small"), script=card.SCRIPTS[CONTRACT],
                           settings=SETTINGS, variables=variables(),
                           files={"fw_env.config": config},
                           slots=card.SLOTS if name == "used" else card.SLOTS[:1])


def write_layout(path):
    """A line per thing: its name, then numbers in bytes or a path."""
    userland = rig.userland("small")
    lines = [f"environment {disk.ENV_OFFSETS[0]} {disk.ENV_OFFSETS[1]} {disk.ENV_SIZE}"]
    for name, partition in (*((f"slot {slot}", f"rootfs-{slot}") for slot in card.SLOTS),
                            ("data", "data")):
        lines.append("{} {} {}".format(name, *disk.place_of(partition)))
    lines += [f"release {FROM} {images.RELEASES[FROM].index} {userland.rootfs(FROM)} "
              f"{userland.release(FROM)}",
              f"release {TO} {images.RELEASES[TO].index} {userland.rootfs(TO)} {release()}"]
    path.write_text("".join(f"{line}\n" for line in lines))


def record(folder, name, work):
    """Fills the folder of a recording with what `work` does to a board."""
    path, before, log = folder / "run.img", folder / "card.img", folder / "log.img"
    make_card(before, name)
    folders.copy_sparse(before, path)
    log.touch()
    with RecordedRig(path, log) as board:
        work(board)
        # The last flush: what was not flushed is not in the log.
        board.must("sync")
    path.unlink()
    path.with_suffix(".log").rename(folder / "console.log")
    write_layout(folder / "layout")


def inputs(name):
    """All that a recording depends on; what is built for it, is built by this."""
    userland = rig.userland("small")
    return {"name": name, "releases": [str(path) for path in (
                userland.factory_rootfs(), userland.release(FROM), release())],
            "uboot": rig.uboot_binary().parent.name, "variables": variables(), "settings": SETTINGS,
            "script": images_cache.file_hash(card.SCRIPTS[CONTRACT]),
            "makers": [images_cache.file_hash(file) for file in (__file__, *(
                module.__file__ for module in (card, disk, images, qemu, rig, virtual_device)))]}


@functools.cache
def recording(name):
    """The folder of a recorded update, made when it is not there."""
    return images_cache.product(f"recording-{name}", inputs(name),
                                lambda work: record(work, name, RecordedRig.update))


# --- bugs -----------------------------------------------------------------------------------------

@functools.cache
def planted(patch):
    """vv-update for the board, with one of the bugs of tests/mutants."""
    def make(work):
        tree = work / "tree"
        for folder in PLANTED_IN:
            shutil.copytree(images_cache.ROOT / folder, tree / folder)
        shutil.copy(images_cache.ROOT / "Makefile", tree)
        with open(PATCHES / f"{patch}.patch", "rb") as stream:
            images_cache.run("patch", "-p1", "-F0", cwd=tree, stdin=stream)
        images_cache.run("make", f"-j{os.cpu_count()}", "CROSS_COMPILE=aarch64-linux-gnu-", "SAN=",
                         "BUILD=out", "out/vv-update", cwd=tree)
        images_cache.run("aarch64-linux-gnu-strip", "-o", work / "vv-update",
                         tree / "out/vv-update")
        shutil.rmtree(tree)
    sources = {folder: images_cache.folder_hash(images_cache.ROOT / folder)
               for folder in PLANTED_IN}
    wanted = {"patch": images_cache.file_hash(PATCHES / f"{patch}.patch"), "sources": sources,
              "make": images_cache.file_hash(images_cache.ROOT / "Makefile"),
              "compiler": images_cache.run("aarch64-linux-gnu-gcc", "--version").decode()}
    return images_cache.product(f"planted-{patch}", wanted, make) / "vv-update"


def record_planted(folder, patch):
    """An installation by a program with a bug, up to the activation."""
    program = planted(patch)

    def work(board):
        board.boots(FROM, "a")
        board.expect_confirmed()
        board.must(f"wget -q -O /tmp/planted {served(program)} && chmod +x /tmp/planted")
        board.install_recorded("/tmp/planted")
    record(folder, "fresh", work)
