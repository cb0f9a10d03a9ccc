# SPDX-License-Identifier: Apache-2.0
"""Debian packages of the board's architecture: which version apt would take, and their content."""

import functools
import os
import re

import images_cache

ARCHITECTURE = "arm64"
KERNEL, BUSYBOX, ENV_TOOLS = ALWAYS = ("linux-image-arm64", "busybox-static", "libubootenv-tool")


@functools.cache
def records(names):
    """{name: fields} of the versions apt would take; names is a tuple, asked for at once."""
    words = [word for name in names for word in (name, f"{name}:{ARCHITECTURE}")]
    text = images_cache.run("apt-cache", "show", "--no-all-versions", *words).decode()
    found = {}
    for stanza in text.split("\n\n"):
        fields = dict(re.findall(r"^([A-Z][\w-]*): (.*)$", stanza, re.M))
        if fields.get("Architecture") in (ARCHITECTURE, "all"):
            found[fields["Package"]] = fields
    missing = set(names) - set(found)
    if missing:
        raise SystemExit(f"board: apt knows no {', '.join(sorted(missing))} for {ARCHITECTURE}: "
                         "run .ci/deps board")
    return found


def record(name):
    """The fields of one package. What is always wanted is asked for together: apt takes a second
    for each question."""
    return records(ALWAYS if name in ALWAYS else (name,))[name]


def versions(names):
    """{name: version}, as an input of a product."""
    return {name: fields["Version"] for name, fields in records(tuple(names)).items()}


def kernel():
    """(name, version) of the package that the metapackage of the kernel stands for."""
    depends = record(KERNEL)["Depends"]
    return re.match(r"(linux-image-\S+) \(= ([^)]+)\)", depends).groups()


def unpack(name, folder):
    """Puts the files of a package into a folder; nothing is installed."""
    wanted = f"{name}:{ARCHITECTURE}={record(name)['Version']}"
    before = set(folder.glob("*.deb"))
    sandbox = ["-o", "APT::Sandbox::User=root"] if os.geteuid() == 0 else []
    images_cache.run("apt-get", "-qq", *sandbox, "download", wanted, cwd=folder)
    (archive,) = set(folder.glob("*.deb")) - before
    images_cache.run("dpkg-deb", "-x", archive, folder)
    archive.unlink()
