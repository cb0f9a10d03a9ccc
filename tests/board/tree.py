# SPDX-License-Identifier: Apache-2.0
"""A file system as it will be, put together without root: owners, modes and times are what the
archive says, whoever builds it."""

import gzip
import io
import os
import pathlib
import tarfile

from images_cache import EPOCH, run

CPIO_MODE = {tarfile.REGTYPE: 0o100000, tarfile.DIRTYPE: 0o040000, tarfile.SYMTYPE: 0o120000}
BLOCK_SIZE = 128 << 10
LEVEL = 6  # half the time of 9, and 1 % larger


class Tree:
    """Paths and what stands there; a later one takes the place of an earlier one."""

    def __init__(self):
        self.members = {}  # path without a slash in front: (TarInfo, archive, file or bytes)

    def _put(self, path, kind, mode, content=None):
        """A member of ours: owned by root, of the fixed time, its parents made."""
        path = str(path).strip("/")
        parent = os.path.dirname(path)
        if parent and parent not in self.members:
            self.folder(parent)
        info = tarfile.TarInfo(path)
        info.type, info.mode, info.mtime = kind, mode, EPOCH
        info.uname = info.gname = "root"
        self.members[path] = (info, content)
        return info

    def folder(self, path, mode=0o755):
        """A directory."""
        self._put(path, tarfile.DIRTYPE, mode)

    def link(self, path, target):
        """A symbolic link."""
        self._put(path, tarfile.SYMTYPE, 0o777).linkname = target

    def file(self, path, content, mode=0o644):
        """A file: content is its bytes, its text, or where they lie."""
        content = content.encode() if isinstance(content, str) else content
        info = self._put(path, tarfile.REGTYPE, mode, content)
        info.size = len(content) if isinstance(content, bytes) else content.stat().st_size

    def overlay(self, folder):
        """All files and links of a folder of the source tree."""
        for path in sorted(pathlib.Path(folder).rglob("*")):
            name = path.relative_to(folder)
            if path.is_symlink():
                self.link(name, os.readlink(path))
            elif path.is_file():
                self.file(name, path, 0o755 if path.stat().st_mode & 0o100 else 0o644)

    def archive(self, path):
        """All members of a tar archive but device nodes, which devtmpfs brings."""
        source = tarfile.open(path)  # stays open: contents are read when they are written
        for info in source:
            name = info.name.removeprefix("./").strip("/")
            if name in ("", ".") or info.ischr() or info.isblk():
                continue
            info.name = name
            info.mtime = min(int(info.mtime), EPOCH)
            info.pax_headers = {}
            if info.islnk():
                info.linkname = info.linkname.removeprefix("./")
            self.members[name] = (info, source)

    def remove(self, path):
        """Takes away what stands at a path, and below it."""
        path = str(path).strip("/")
        for name in [n for n in self.members if n == path or n.startswith(path + "/")]:
            del self.members[name]

    def _open(self, info, content):
        """A stream of a member's bytes."""
        if isinstance(content, tarfile.TarFile):
            return content.extractfile(info)
        return io.BytesIO(content) if isinstance(content, bytes) else open(content, "rb")

    def _ordered(self):
        """Members, parents first; names of hard links behind what they name."""
        def key(item):
            return item[1][0].islnk(), item[0]
        return [member for _, member in sorted(self.members.items(), key=key)]

    def write_squashfs(self, path):
        """A squashfs image with gzip: on this board U-Boot loads the kernel from one in 2.5 s, from
        one with zstd in 3.9 s."""
        archive = path.with_suffix(".tar")
        with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as out:
            for info, content in self._ordered():
                if info.isreg():
                    with self._open(info, content) as stream:
                        out.addfile(info, stream)
                else:
                    out.addfile(info)
        with open(archive, "rb") as stream:
            # U-Boot 2023.01 cannot load most files that lie in a fragment: small ones, and with
            # -tailends the ends of others.
            run("mksquashfs", "-", path, "-tar", "-noappend", "-no-xattrs", "-quiet",
                "-no-progress", "-no-fragments", "-comp", "gzip", "-Xcompression-level", LEVEL,
                "-b", BLOCK_SIZE, "-root-time", EPOCH, "-root-mode", "755", stdin=stream)
        archive.unlink()

    def write_initramfs(self, path):
        """A compressed cpio archive in the form the kernel unpacks (newc)."""
        with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, EPOCH) as out:
            for number, (info, content) in enumerate(self._ordered(), 1):
                data = info.linkname.encode()
                if info.isreg():
                    with self._open(info, content) as stream:
                        data = stream.read()
                mode = CPIO_MODE[info.type] | info.mode
                out.write(cpio_member(info.name, number, mode, data))
            out.write(cpio_member("TRAILER!!!", 0, 0, b""))


def cpio_member(name, number, mode, data):
    """Header, name and data, each padded to 4 bytes (initramfs buffer format of the kernel)."""
    fields = (number, mode, 0, 0, 1, EPOCH, len(data), 0, 0, 0, 0, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)
