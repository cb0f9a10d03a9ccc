# SPDX-License-Identifier: Apache-2.0
"""The card of a board that is off: made as a factory leaves it, damaged, and looked at from outside
by code that shares nothing with what wrote it."""

import hashlib
import pathlib
import tempfile

import disk
import images_cache
import uboot
import virtual_device
from virtual_device import current_copy

SCRIPTS = {contract: uboot.ROOT / f"bootloader/boot-{contract}.cmd"
           for contract in ("order", "bootcount")}
SETTINGS = {"order": "[bootloader]\ncontract=order\n",
            "bootcount": "[bootloader]\ncontract=bootcount\nslot_var=rpipart\n"}
# Variables of the board that no part of an update has any business with.
FOREIGN = {"board_serial": "000123", "panel_timings": "a=1 b='2' ; c", "site": "shop 7"}
SLOTS = ("a", "b")
# What a slot that cannot be started lacks, by its place: the first word of a squashfs, and that of
# an ext4's superblock.
MAGIC = {0: b"hsqs", 1024 + 56: b"\x53\xef"}
BLOCK = 1 << 20


def built_in():
    """The environment that U-Boot was built with."""
    variables = {}
    for path in uboot.ENVIRONMENT:
        variables |= disk.environment_file(path)
    return variables


def factory_variables(contract):
    """With `order` the script makes what is missing; with `bootcount` nothing is saved before the
    first trial, so the factory says which slot it filled."""
    return {**built_in(), **({"rpipart": "2"} if contract == "bootcount" else {})}


def write_data(path, files):
    """A data partition as the factory leaves it, with {path: text of a file} in it."""
    with tempfile.TemporaryDirectory(prefix="vv-board-") as folder:
        for name, text in files.items():
            file = pathlib.Path(folder, name)
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        pathlib.Path(folder).chmod(0o755)
        with open(path, "wb") as stream:
            stream.truncate(disk.DATA_MIB * disk.MIB)
        # vv-update reads only what belongs to root. The superblock is written in place, two sectors
        # of it: with a checksum, one torn between them is mounted no more, not by e2fsck -p either.
        images_cache.run("fakeroot", "mke2fs", "-q", "-F", "-t", "ext4", "-O", "^metadata_csum",
                         "-L", "data", "-d", folder, path)


def make_factory_card(path, userland, *, script, settings, variables, files=None, slots="a"):
    """A card as the factory leaves it: its release in these slots, nothing in others.

    settings: what this device has of its own in vv-update's configuration. variables: what the
    environment holds besides the board's own; None: both copies are empty. files: {path: text} of
    what else is on the data partition.
    """
    data = path.with_suffix(".data")
    write_data(data, {"conf.d/50-device.conf": settings, **(files or {})})
    if variables is not None:
        variables = {**FOREIGN, **variables}
    contents = {f"rootfs-{slot}": userland.factory_rootfs() for slot in slots}
    disk.make_disk(path, script, variables=variables, contents={**contents, "data": data})
    data.unlink()
    return path


# --- the environment ------------------------------------------------------------------------------

def environment_copies(card):
    """[(flag, variables) or None where the checksum is wrong] of both copies."""
    return virtual_device.environment_copies(card, disk.ENV_OFFSETS)


def environment(card):
    """The variables U-Boot would take, None when both copies are damaged."""
    return current_copy(environment_copies(card))


def damage_environment(card, *copies):
    """Damages each copy named (0, 1)."""
    virtual_device.damage_copies(card, [disk.ENV_OFFSETS[copy] for copy in copies])


def current_number(card):
    """Which copy (0, 1) is in force."""
    copies = environment_copies(card)
    return copies.index((next(c for c in copies if c and c[1] is current_copy(copies))))


# --- the slots ------------------------------------------------------------------------------------

def slot_hash(card, slot, length=None):
    """sha256 of a slot, or of its first bytes."""
    start, size = disk.place_of(f"rootfs-{slot}")
    left = size if length is None else length
    digest = hashlib.sha256()
    with open(card, "rb") as stream:
        stream.seek(start)
        while left:
            block = stream.read(min(BLOCK, left))
            if not block:
                raise AssertionError(f"{card} ends {left} bytes before the end of slot {slot}")
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()


def can_be_mounted(card, slot):
    """Whether a slot has the superblock of a file system that U-Boot and Linux know."""
    start, _ = disk.place_of(f"rootfs-{slot}")
    with open(card, "rb") as stream:
        for offset, magic in MAGIC.items():
            stream.seek(start + offset)
            if stream.read(len(magic)) == magic:
                return True
    return False


def release_in(card, slot, userland):
    """The version whose root file system a slot holds, every byte of it, or None."""
    for version in userland.versions():
        path = userland.rootfs(version)
        with open(path, "rb") as stream:
            wanted = hashlib.file_digest(stream, "sha256").hexdigest()
        if slot_hash(card, slot, path.stat().st_size) == wanted:
            return version
    return None
