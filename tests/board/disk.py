# SPDX-License-Identifier: Apache-2.0
"""The disk of the virtual board as a file, made without root and without loop devices.

    4 MiB, 8 MiB   the two copies of the boot environment, 16 KiB each
    12 MiB         partition 1, boot: FAT, holds boot.scr
    28 MiB         partition 2, rootfs-a
    behind it      partition 3, rootfs-b, then partition 4, data
"""

import os
import pathlib
import tempfile

import virtual_device
from images_cache import run
from virtual_device import ENV_SIZE, write_env_copy

MIB = 1 << 20
ENV_OFFSETS = (0x400000, 0x800000)
BOOT_MIB = 16
BOOT_AT_MIB = 12
SLOT_MIB = 128
DATA_MIB = 220


def partitions(slot_mib, data_mib):
    """[(name, type, start, size)] in MiB; sgdisk's types: a FAT, and Linux file systems."""
    table, start = [], BOOT_AT_MIB
    for name, kind, size in (("boot", "0700", BOOT_MIB), ("rootfs-a", "8300", slot_mib),
                             ("rootfs-b", "8300", slot_mib), ("data", "8300", data_mib)):
        table.append((name, kind, start, size))
        start += size
    return table


def place_of(name):
    """(start, bytes) of a partition on a board's card."""
    return next((start * MIB, size * MIB) for other, _, start, size in
                partitions(SLOT_MIB, DATA_MIB) if other == name)


def boot_script(source, target):
    """The image that U-Boot's `source` runs, of a script's text."""
    run("mkimage", "-A", "arm64", "-T", "script", "-C", "none", "-d", source, target)


def write_at(disk, start_mib, content):
    """Puts a file's content to its place, holes left out."""
    run("dd", f"if={content}", f"of={disk}", "bs=1M", f"seek={start_mib}", "conv=notrunc,sparse",
        "status=none")


def write_boot_partition(disk, script):
    """Partition 1, with the boot script of that source."""
    with tempfile.TemporaryDirectory(prefix="vv-board-") as folder:
        image, fat = pathlib.Path(folder, "boot.scr"), pathlib.Path(folder, "boot.img")
        boot_script(script, image)
        run("mkfs.vfat", "-n", "BOOT", "-C", fat, BOOT_MIB * 1024)
        run("mcopy", "-i", fat, image, "::boot.scr")
        write_at(disk, BOOT_AT_MIB, fat)


def environment_file(path):
    """The variables of a file as U-Boot's build takes it."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    text = "\n".join(lines).replace("\\\n", "")
    return dict(line.split("=", 1) for line in text.splitlines())


def write_environment(disk, variables):
    """Both copies, the second one in force."""
    for flag, offset in enumerate(ENV_OFFSETS):
        write_env_copy(disk, offset, flag, variables)


def read_environment(disk):
    """All variables; the board must be off."""
    with tempfile.NamedTemporaryFile("w", prefix="vv-board-", suffix=".config") as config:
        config.writelines(f"{disk} {offset:#x} {ENV_SIZE:#x}\n" for offset in ENV_OFFSETS)
        config.flush()
        return virtual_device.read_environment(config.name)


def make_disk(path, script, contents=None, variables=None, *, slot_mib=SLOT_MIB,
              data_mib=DATA_MIB):
    """A disk with the boot script of that source, and per partition name the file it holds.

    Without `variables` both copies of the environment are empty, as on a new device: U-Boot starts
    with its built-in one. An SD card's size is a power of two, or QEMU refuses it.
    """
    table = partitions(slot_mib, data_mib)
    _, _, start, size = table[-1]
    total = 1 << ((start + size + 1) * MIB - 1).bit_length()
    path = pathlib.Path(path)
    path.unlink(missing_ok=True)
    with open(path, "wb") as stream:
        os.truncate(stream.fileno(), total)
    # U-Boot reads the whole table for each of 128 numbers: 4 entries make a power-on 0.3 s shorter.
    command = ["sgdisk", "--clear", "--resize-table=4", "--set-alignment=2048"]
    for number, (name, kind, start, size) in enumerate(table, 1):
        command += [f"--new={number}:{start}M:+{size}M", f"--typecode={number}:{kind}",
                    f"--change-name={number}:{name}"]
    run(*command, path)
    write_boot_partition(path, script)
    for name, kind, start, size in table:
        content = (contents or {}).get(name)
        if content is None:
            continue
        if pathlib.Path(content).stat().st_size > size * MIB:
            raise ValueError(f"{content} is larger than partition {name}: {size} MiB")
        write_at(path, start, content)
    if variables is not None:
        write_environment(path, variables)
    return path
