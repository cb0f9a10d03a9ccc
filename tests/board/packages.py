# SPDX-License-Identifier: Apache-2.0
"""Debian packages of the board's architecture: which version apt would take, and their content."""

import functools
import os
import re

import images_cache

ARCHITECTURE = "arm64"


@functools.cache
def record(name):
    """The fields of the version apt would take of an arm64 package."""
    text = images_cache.run("apt-cache", "show", "--no-all-versions", f"{name}:{ARCHITECTURE}")
    fields = dict(re.findall(r"^([A-Z][\w-]*): (.*)$", text.decode(), re.M))
    if fields.get("Architecture") not in (ARCHITECTURE, "all"):
        raise SystemExit(f"board: apt knows no {name} for {ARCHITECTURE}: run .ci/deps board")
    return fields


def versions(names):
    """{name: version}, as an input of a product."""
    return {name: record(name)["Version"] for name in names}


def unpack(name, folder):
    """Puts the files of a package into a folder; nothing is installed."""
    wanted = f"{name}:{ARCHITECTURE}={record(name)['Version']}"
    before = set(folder.glob("*.deb"))
    sandbox = ["-o", "APT::Sandbox::User=root"] if os.geteuid() == 0 else []
    images_cache.run("apt-get", "-qq", *sandbox, "download", wanted, cwd=folder)
    (archive,) = set(folder.glob("*.deb")) - before
    images_cache.run("dpkg-deb", "-x", archive, folder)
    archive.unlink()
