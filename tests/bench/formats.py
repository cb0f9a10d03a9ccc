# SPDX-License-Identifier: Apache-2.0
"""What must be read out of files and answers to count bytes: the chunk table of an image, the index
of casync, the words of zchunk. Nothing is verified here."""

import dataclasses
import re
import struct

VVI_MAGIC = b"\x89VVI\r\n\x1a\n"
VVD_MAGIC = b"\x89VVD\r\n\x1a\n"
RECORD, PACK_RECORD, ZERO_CODEC = 64, 48, 3
CAIBX_HEAD, CAIBX_ITEM = 64, 40


@dataclasses.dataclass(frozen=True)
class Chunk:
    """One record of the chunk table."""

    raw_hash: bytes
    stored_off: int
    stored_len: int
    raw_len: int
    codec: int


@dataclasses.dataclass(frozen=True)
class Table:
    """The chunks of an image; what stands in front of the payload is always fetched."""

    head_bytes: int
    table_bytes: int
    file_bytes: int
    chunks: tuple


def parse_vvi(stream):
    """The table of an image, as docs/image-format.md lays it out."""
    head = stream.read(128)
    if head[:8] != VVI_MAGIC:
        raise ValueError("not an image")
    (file_size,) = struct.unpack_from("<Q", head, 24)
    table_offset, table_size, _, payload_offset = struct.unpack_from("<QIIQ", head, 40)
    stream.seek(table_offset)
    text = stream.read(table_size)
    chunks = []
    for at in range(0, table_size, RECORD):
        stored_off, stored_len, packed = struct.unpack_from("<QII", text, at + 48)
        chunks.append(Chunk(text[at:at + 32], stored_off, stored_len, packed & 0xffffff,
                            packed >> 24))
    return Table(payload_offset, table_size, file_size, tuple(chunks))


def read_vvi(path):
    """The table of an image file."""
    with open(path, "rb") as stream:
        return parse_vvi(stream)


def parse_pack(stream):
    """(bytes of the whole pack, {number of a chunk it brings}); it is laid out like an image."""
    head = stream.read(128)
    if head[:8] != VVD_MAGIC:
        raise ValueError("not a pack")
    (file_size,) = struct.unpack_from("<Q", head, 24)
    table_offset, table_size = struct.unpack_from("<QI", head, 40)
    stream.seek(table_offset)
    text = stream.read(table_size)
    return file_size, {struct.unpack_from("<I", text, at)[0]
                       for at in range(0, table_size, PACK_RECORD)}


def read_pack(path):
    """The same of a file."""
    with open(path, "rb") as stream:
        return parse_pack(stream)


def missing(old, new, brought=frozenset()):
    """(bytes, ranges) of the payload that a device with the chunks of `old` has to fetch; runs
    that touch are one range. The head is not counted, nor are chunks that something else brings,
    which are named by their numbers."""
    have = {chunk.raw_hash for chunk in old.chunks}
    total, ranges, end, last = 0, 0, None, -1
    for number, chunk in enumerate(new.chunks):
        if number in brought:
            continue
        if chunk.codec == ZERO_CODEC or chunk.stored_off <= last or chunk.raw_hash in have:
            continue  # zeros, what an earlier chunk brought, what is there
        last = chunk.stored_off
        total += chunk.stored_len
        ranges += chunk.stored_off != end
        end = chunk.stored_off + chunk.stored_len
    return total, ranges


def parse_caibx(data):
    """[id in hexadecimal] of the chunks that an index of casync lists."""
    found = []
    for at in range(CAIBX_HEAD, len(data) - CAIBX_ITEM + 1, CAIBX_ITEM):
        (end,) = struct.unpack_from("<Q", data, at)
        if end == 0:  # the tail
            break
        found.append(data[at + 8:at + CAIBX_ITEM].hex())
    return found


def parse_zck_delta(text):
    """(bytes, chunks to fetch) that zck_delta_size tells."""
    fetched = re.search(r"^Would download (\d+) of \d+ bytes", text, re.M)
    matched = re.search(r"^Matched (\d+) of (\d+) chunks", text, re.M)
    if not fetched or not matched:
        raise ValueError(f"zck_delta_size says: {text}")
    return int(fetched.group(1)), int(matched.group(2)) - int(matched.group(1))
