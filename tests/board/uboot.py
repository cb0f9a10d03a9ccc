#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds U-Boot for the virtual board from Debian's source package and prints where it lies.

The product is kept by content: see images_cache.py. `.ci/deps board` installs what this needs.
"""

import hashlib
import re
import shutil
import sys

import images_cache
from images_cache import ROOT, run

FRAGMENTS = (ROOT / "bootloader/uboot.config", ROOT / "tests/board/uboot.config")
ENVIRONMENT = (ROOT / "bootloader/default.env", ROOT / "tests/board/board.env")
COMPILER = "aarch64-linux-gnu-"
DEFCONFIG = "qemu_arm64_defconfig"
# The environment is read before PCI is looked at, and the card is behind PCI. U-Boot has a macro
# for that, and no option.
EARLY_PCI = "KCPPFLAGS=-DCONFIG_SYS_EARLY_PCI_INIT"


def source_files():
    """[(name, checksum)] of the source package, as apt knows it."""
    listed = run("apt-get", "source", "--print-uris", "--download-only", "u-boot").decode()
    found = re.findall(r"^'[^']*' (\S+) \d+ (\S+)$", listed, re.M)
    if not any(name.endswith(".dsc") for name, _ in found):
        sys.exit("uboot: apt does not know the source of u-boot; run: .ci/deps board")
    return sorted(found)


def is_intact(path, checksum):
    """Whether a file of the source package is there, and is what apt knows it to be."""
    kind, _, digest = checksum.partition(":")
    return path.exists() and hashlib.new(kind, path.read_bytes()).hexdigest() == digest


def damaged(sources, folder):
    """The names of those files of the source package that are not there, or are something else."""
    return [name for name, checksum in sources if not is_intact(folder / name, checksum)]


def fetch(sources, folder=images_cache.STORE / "download", tool=run):
    """The path of the .dsc file, downloaded into `folder` with `tool` when a file of the package is
    not there; all of them are what apt knows them to be."""
    folder.mkdir(exist_ok=True)
    wanted = damaged(sources, folder)
    for name in wanted:
        (folder / name).unlink(missing_ok=True)
    if wanted:
        tool("apt-get", "-qq", "source", "--download-only", "u-boot", cwd=folder)
    if left := damaged(sources, folder):
        sys.exit(f"uboot: {folder} is not what apt knows it to be: {', '.join(left)}")
    return next(folder / name for name, _ in sources if name.endswith(".dsc"))


def lines_not_taken(fragment, config):
    """The lines of a fragment that a .config does not have: Kconfig drops what it does not know or
    whose conditions are not met, and says nothing."""
    taken = set(config.splitlines())
    missing = []
    for line in fragment.splitlines():
        unset = re.fullmatch(r"# (CONFIG_\w+) is not set", line)
        if unset:
            fine = not any(have.startswith(unset[1] + "=") for have in taken)
        else:
            fine = line in taken or not line.startswith("CONFIG_")
        if not fine:
            missing.append(line)
    return missing


def configure(make, source, out):
    """The board's .config, in which every line of the fragments has arrived."""
    run(*make, DEFCONFIG, cwd=source)
    run("scripts/kconfig/merge_config.sh", "-m", "-O", out, out / ".config", *FRAGMENTS, cwd=source)
    run(*make, "olddefconfig", cwd=source)
    config = (out / ".config").read_text()
    missing = [line for path in FRAGMENTS for line in lines_not_taken(path.read_text(), config)]
    if missing:
        sys.exit("uboot: U-Boot's configuration did not take:\n" + "\n".join(missing))


def compile_into(folder, sources):
    """Unpacks, configures, compiles; leaves u-boot.bin and its configuration in `folder`."""
    source, out = folder / "source", folder / "out"
    # fetch() has compared the checksums with apt's, whose lists are signed.
    run("dpkg-source", "--no-check", "--no-copy", "-x", fetch(sources), source)
    out.mkdir()
    (out / "default.env").write_text("".join(path.read_text() for path in ENVIRONMENT))
    make = ["make", "-j2", "ARCH=arm", f"CROSS_COMPILE={COMPILER}", f"O={out}"]
    configure(make, source, out)
    run(*make, EARLY_PCI, "u-boot.bin", cwd=source, env={"SOURCE_DATE_EPOCH": "0"})
    shutil.move(out / "u-boot.bin", folder / "u-boot.bin")
    shutil.move(out / ".config", folder / "config")
    shutil.rmtree(source)
    shutil.rmtree(out)


def build():
    """The path of u-boot.bin, built when it is not there."""
    sources = source_files()
    inputs = {"sources": sources, "compiler": run(COMPILER + "gcc", "--version").decode(),
              "files": [images_cache.file_hash(path) for path in (*FRAGMENTS, *ENVIRONMENT)],
              "maker": images_cache.file_hash(__file__)}
    folder = images_cache.product("u-boot", inputs, lambda work: compile_into(work, sources))
    return folder / "u-boot.bin"


if __name__ == "__main__":
    print(build())
