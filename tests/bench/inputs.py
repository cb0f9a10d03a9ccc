# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks install: file systems of two releases, made of Debian's packages with fixed
times, UUIDs and seeds, and kept by content.

A pair is an older and a newer root:
  small     the release pocket, and the same with a handful of packages from the security updates
  security  the release pocket, and all of the security updates
  kernel    the release pocket with its kernel, and the same with the kernel of the updates
"""

import dataclasses
import functools
import os
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "board"))
import images_cache  # pylint: disable=wrong-import-position
from images_cache import EPOCH, ROOT, file_hash  # pylint: disable=wrong-import-position

MIB = 1 << 20
CACHE = pathlib.Path(os.environ.get("BENCH_CACHE") or ROOT / "build/bench").resolve()
RELEASE = "bookworm"
PAIRS = ("small", "security", "kernel")
FILE_SYSTEMS = ("ext4", "erofs", "squashfs")
# Of the security updates, what an urgent update of one service would bring.
HANDFUL = ("libssl3", "openssl", "nginx", "nginx-common", "libgnutls30", "liblzma5")
UUID = "5f6c1d3e-8f5b-4f0e-9d57-0c6b6b3c1a01"
HASH_SEED = "5f6c1d3e-8f5b-4f0e-9d57-0c6b6b3c1a02"
FIRST_INODE = 11  # of those that are not reserved, in ext4


@dataclasses.dataclass(frozen=True)
class Size:
    """How much is in a root."""

    packages: tuple
    ext4_mib: int


SIZES = {
    "large": Size(("ffmpeg", "python3", "nginx"), 1024),
    "small": Size(("python3", "nginx", "openssl"), 512),
}


def product(name, inputs, make):
    """The folder of a product, made when it is not there yet."""
    return images_cache.product(name, inputs, make, cache=CACHE / "products", label="bench")


def run(*command, **more):
    """Runs a tool to its end; its output is shown only when it fails."""
    return images_cache.run(*command, label="bench", **more)


@functools.cache
def architecture():
    """Of this machine, as dpkg names it."""
    return run("dpkg", "--print-architecture").decode().strip()


@functools.cache
def sources():
    """{suite: apt's line} of Debian's own archives, from where this machine takes them."""
    text = run("apt-get", "indextargets", "--format",
               "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ARCHITECTURE)", "Created-By: Packages",
               "Origin: Debian", "Component: main").decode()
    found = parse_sources(text, architecture())
    for suite in (RELEASE, f"{RELEASE}-security"):
        if suite not in found:
            raise SystemExit(f"bench: apt has no list of {suite}; the inputs come from there")
    return found


def parse_sources(text, arch):
    """{suite: line for mmdebstrap} out of lines URI|SUITE|COMPONENT|ARCHITECTURE."""
    found = {}
    for line in text.splitlines():
        uri, suite, component, of = line.split("|")
        if of == arch and component == "main":
            found[suite] = f"deb {uri} {suite} main"
    return found


def _archive_state(suites):
    """What tells that an archive changed: the dates and sums of its lists."""
    text = run("apt-get", "indextargets", "--format", "$(RELEASE) $(FILENAME)",
               "Created-By: Packages", "Origin: Debian", "Component: main",
               f"Architecture: {architecture()}").decode()
    state = {}
    for line in text.splitlines():
        suite, path = line.split(" ", 1)
        if suite in suites and os.path.exists(path):
            state[suite] = file_hash(path)
    return state


def pins(packages):
    """apt's preferences with which only these packages come from the security updates."""
    return (f"Package: {' '.join(packages)}\nPin: release n={RELEASE}-security\n"
            "Pin-Priority: 990\n\n"
            f"Package: *\nPin: release n={RELEASE}-security\nPin-Priority: 100\n")


def tree(size, kind):
    """The folder with tree.tar and packages.txt: `old`, `small` or `security`."""
    suites = [RELEASE] if kind == "old" else [RELEASE, f"{RELEASE}-security"]
    preferences = pins(HANDFUL) if kind == "small" else ""
    # An archive that went on since does not make the inputs of a comparison new: BENCH_REFRESH.
    state = _archive_state(suites) if os.environ.get("BENCH_REFRESH") else {}
    inputs = {"size": dataclasses.astuple(SIZES[size]), "suites": suites, "state": state,
              "preferences": preferences, "architecture": architecture()}

    def make(work):
        (work / "preferences").write_text(preferences)
        run("mmdebstrap", "--quiet", "--variant=minbase", "--format=tar",
            f"--include={','.join(SIZES[size].packages)}",
            f"--setup-hook=mkdir -p \"$1/etc/apt/preferences.d\" && "
            f"cp {work}/preferences \"$1/etc/apt/preferences.d/bench\"",
            "--customize-hook=rm -rf \"$1/etc/apt/preferences.d/bench\" \"$1/etc/resolv.conf\" "
            "\"$1/etc/hostname\" \"$1/var/cache/ldconfig/aux-cache\"",
            f"--customize-hook=dpkg-query --root=\"$1\" -W > {work}/packages.txt",
            RELEASE, work / "tree.tar", *[sources()[suite] for suite in suites])
    return product(f"tree-{size}-{kind}", inputs, make)


@functools.cache
def kernels():
    """[(package, version)] of the release pocket's kernel and of the newest."""
    text = run("apt-cache", "show", f"linux-image-cloud-{architecture()}").decode()
    return parse_kernels(text)


def parse_kernels(text):
    """[(package, version)] of the oldest and the newest kernel that a metapackage stands for."""
    found = re.findall(r"^Depends: (linux-image-[\w.+-]+) \(= ([^)]+)\)", text, re.M)
    ordered = sorted(set(found), key=lambda item: [
        int(number) for number in re.findall(r"\d+", item[1])])
    if len(ordered) < 2:
        raise SystemExit("bench: the archives offer one kernel only: no pair `kernel` now")
    return ordered[0], ordered[-1]


def kernel(newer):
    """The folder with the files of a kernel's package."""
    name, version = kernels()[newer]

    def make(work):
        run("apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", f"{name}={version}",
            cwd=work)
        (archive,) = work.glob("*.deb")
        archive.rename(work / "kernel.deb")
    inputs = {"name": name, "version": version}
    return product(f"kernel-{'new' if newer else 'old'}", inputs, make)


# $1 tree.tar, $2 kernel.deb or nothing, $3 image, $4 bytes of ext4, $5 an empty folder
EXTRACT = r"""
root=$5
tar -C "$root" --numeric-owner --exclude='./dev/*' -xf "$1"
if [ -n "$2" ]; then dpkg-deb --fsys-tarfile "$2" | tar -C "$root" --keep-directory-symlink -x; fi
find "$root" -newermt "@$SOURCE_DATE_EPOCH" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
"""
MAKERS = {
    "ext4": EXTRACT + f"""
truncate -s "$4" "$3"
mke2fs -q -t ext4 -b 4096 -O ^has_journal -m 0 -L rootfs -U {UUID} \
  -E hash_seed={HASH_SEED},lazy_itable_init=0 -d "$root" "$3"
""",
    "erofs": EXTRACT + f"""
mkfs.erofs --quiet -zlz4hc -T "$SOURCE_DATE_EPOCH" -U {UUID} "$3" "$root" >/dev/null
""",
    "squashfs": EXTRACT + """
mksquashfs "$root" "$3" -quiet -no-progress -comp zstd -b 131072 -noappend >/dev/null
""",
}


def _settle_times(image):
    """mke2fs takes over when a file was put onto the build host; that is no part of a release."""
    head = run("dumpe2fs", "-h", image).decode()
    count, free = (int(re.search(rf"^{what}:\s+(\d+)", head, re.M).group(1))
                   for what in ("Inode count", "Free inodes"))
    inodes = [2, *range(FIRST_INODE, count - free + 1)]
    script = image.with_suffix(".times")
    script.write_text("".join(f"set_inode_field <{inode}> {field} @{EPOCH}\n"
                              for inode in inodes for field in ("ctime", "atime", "crtime")))
    run("debugfs", "-w", "-f", script, image, env={"E2FSPROGS_FAKE_TIME": str(EPOCH)})
    script.unlink()


@dataclasses.dataclass(frozen=True)
class Image:
    """One release as a file system."""

    size: str
    pair: str
    newer: bool
    file_system: str

    def _sources(self):
        """(tree's folder, kernel's folder or None)."""
        if self.pair == "kernel":
            return tree(self.size, "old"), kernel(self.newer)
        return tree(self.size, self.pair if self.newer else "old"), None

    def name(self):
        """Of the product; the older releases of two pairs are the same."""
        what = self.pair if self.newer or self.pair == "kernel" else "base"
        age = "" if self.pair != "kernel" else ("-new" if self.newer else "-old")
        return f"image-{self.size}-{what}{age}-{self.file_system}"

    def folder(self):
        """The product's folder."""
        base, kernel_folder = self._sources()
        maker = MAKERS[self.file_system]
        size = SIZES[self.size].ext4_mib * MIB
        inputs = {"tree": base.name, "kernel": kernel_folder and kernel_folder.name,
                  "maker": maker, "bytes": size if self.file_system == "ext4" else 0}

        def make(work):
            image = work / "rootfs.img"
            deb = kernel_folder / "kernel.deb" if kernel_folder else ""
            (work / "root").mkdir()
            run(*as_root(), "sh", "-euc", maker, "maker", base / "tree.tar", deb, image, size,
                work / "root", env={"E2FSPROGS_FAKE_TIME": str(EPOCH)})
            run("chmod", "-R", "u+rwx", work / "root")
            run("rm", "-rf", work / "root")
            if self.file_system == "ext4":
                _settle_times(image)
        return product(self.name(), inputs, make)

    def path(self):
        """The file with the file system."""
        return self.folder() / "rootfs.img"


def as_root():
    """What stands before a command that must own files as root."""
    return [] if os.geteuid() == 0 else ["fakeroot"]


def images(size, pair, file_system):
    """(older, newer) of a pair."""
    return tuple(Image(size, pair, newer, file_system) for newer in (False, True))
