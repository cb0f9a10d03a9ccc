#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds U-Boot for the virtual board from Debian's source package and prints where it lies.

The product is kept under build/board, named by a hash over all that goes into it; when it is there
already nothing is done. `.ci/deps board` installs what this needs.
"""

import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
STORE = ROOT / "build/board"
FRAGMENTS = (ROOT / "bootloader/uboot.config", ROOT / "tests/board/uboot.config")
ENVIRONMENT = (ROOT / "bootloader/default.env", ROOT / "tests/board/board.env")
COMPILER = "aarch64-linux-gnu-"
DEFCONFIG = "qemu_arm64_defconfig"
# The environment is read before PCI is looked at, and the card is behind PCI. U-Boot has a macro
# for that, and no option.
EARLY_PCI = "KCPPFLAGS=-DCONFIG_SYS_EARLY_PCI_INIT"


def output_of(*command):
    """What a program prints; it must succeed."""
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout


def source_files():
    """[(name, checksum)] of the source package, as apt knows it."""
    listed = output_of("apt-get", "source", "--print-uris", "--download-only", "u-boot")
    found = re.findall(r"^'[^']*' (\S+) \d+ (\S+)$", listed, re.M)
    if not any(name.endswith(".dsc") for name, _ in found):
        sys.exit("uboot: apt does not know the source of u-boot; run: .ci/deps board")
    return sorted(found)


def key(sources):
    """A hash over everything the product depends on."""
    digest = hashlib.sha256()
    for path in (*FRAGMENTS, *ENVIRONMENT, pathlib.Path(__file__)):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    digest.update(repr(sources).encode())
    digest.update(output_of(COMPILER + "gcc", "--version").encode())
    return digest.hexdigest()[:16]


def fetch(sources, log):
    """The path of the downloaded .dsc file; apt checks what it downloads."""
    folder = STORE / "download"
    folder.mkdir(exist_ok=True)
    dsc = next(folder / name for name, _ in sources if name.endswith(".dsc"))
    if not all((folder / name).exists() for name, _ in sources):
        subprocess.run(["apt-get", "-qq", "source", "--download-only", "u-boot"], cwd=folder,
                       stdout=log, stderr=log, check=True)
    return dsc


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


def configure(make, source, out, log):
    """The board's .config, in which every line of the fragments has arrived."""
    subprocess.run([*make, DEFCONFIG], cwd=source, stdout=log, stderr=log, check=True)
    subprocess.run(["scripts/kconfig/merge_config.sh", "-m", "-O", str(out), str(out / ".config"),
                    *map(str, FRAGMENTS)], cwd=source, stdout=log, stderr=log, check=True)
    subprocess.run([*make, "olddefconfig"], cwd=source, stdout=log, stderr=log, check=True)
    config = (out / ".config").read_text()
    missing = [line for path in FRAGMENTS for line in lines_not_taken(path.read_text(), config)]
    if missing:
        sys.exit("uboot: U-Boot's configuration did not take:\n" + "\n".join(missing))


def compile_into(folder, sources, log):
    """Unpacks, configures, compiles; leaves u-boot.bin and its configuration in `folder`."""
    source, out = folder / "source", folder / "out"
    subprocess.run(["dpkg-source", "--no-check", "--no-copy", "-x", str(fetch(sources, log)),
                    str(source)], stdout=log, stderr=log, check=True)
    out.mkdir()
    (out / "default.env").write_text("".join(path.read_text() for path in ENVIRONMENT))
    make = ["make", "-j2", "ARCH=arm", f"CROSS_COMPILE={COMPILER}", f"O={out}"]
    configure(make, source, out, log)
    subprocess.run([*make, EARLY_PCI, "u-boot.bin"], cwd=source, stdout=log, stderr=log, check=True,
                   env={**os.environ, "SOURCE_DATE_EPOCH": "0"})
    shutil.move(out / "u-boot.bin", folder / "u-boot.bin")
    shutil.move(out / ".config", folder / "config")
    shutil.rmtree(source)
    shutil.rmtree(out)


def build():
    """The path of u-boot.bin, built when it is not there."""
    STORE.mkdir(parents=True, exist_ok=True)
    sources = source_files()
    product = STORE / f"u-boot-{key(sources)}"
    with open(STORE / "u-boot.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not product.exists():
            folder = STORE / "u-boot.tmp"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            print(f"uboot: building {product.name}", file=sys.stderr, flush=True)
            with open(STORE / "u-boot.log", "wb") as log:
                try:
                    compile_into(folder, sources, log)
                except subprocess.CalledProcessError as failed:
                    sys.exit(f"uboot: {failed}; see {log.name}")
            folder.rename(product)
    return product / "u-boot.bin"


if __name__ == "__main__":
    print(build())
