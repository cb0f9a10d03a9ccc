# SPDX-License-Identifier: Apache-2.0
"""Takes a good .vvi image apart and puts it together again with one thing wrong.

Everything that is not meant to be wrong is made right again (checksums, hashes, sizes, signature),
so that a reader that lacks one check accepts the file. Written from docs/image-format.md alone.
"""

import hashlib
import json
import pathlib
import struct
import subprocess
import tempfile

HEADER = struct.Struct("<8sHHIIIQIIQIIQQ32s20sI")
RECORD = struct.Struct("<32s16sQI3sB")
MAGIC = b"\x89VVI\r\n\x1a\n"


def crc32c(data):
    """CRC-32C, bit by bit: short inputs only."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def align(offset, unit):
    """The next multiple of unit."""
    return (offset + unit - 1) // unit * unit


def cms(message, cert, key, *options):
    """A detached CMS signature, made by the openssl program."""
    with tempfile.NamedTemporaryFile() as stream:
        stream.write(message)
        stream.flush()
        return subprocess.run(
            ["openssl", "cms", "-sign", "-binary", "-noattr", "-nosmimecap", "-md", "sha256",
             "-outform", "DER", "-in", stream.name, "-signer", str(cert), "-inkey", str(key),
             *options], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


class Record:
    """One row of the chunk table."""

    def __init__(self, raw):
        (self.raw_sha, self.stored_sha, self.stored_off, self.stored_len, length,
         self.codec) = RECORD.unpack(raw)
        self.raw_len = int.from_bytes(length, "little")

    def pack(self):
        """The 64 bytes."""
        return RECORD.pack(self.raw_sha, self.stored_sha, self.stored_off, self.stored_len,
                           self.raw_len.to_bytes(3, "little"), self.codec)


class Image:
    """The parts of an image, each free to be changed before bytes()."""

    def __init__(self, path):
        data = pathlib.Path(path).read_bytes()
        (self.magic, self.major, self.minor, header_size, self.incompat, self.compat, _,
         manifest_size, self.area_size, table_offset, table_size, self.reserved1, payload_offset,
         _, _, self.reserved2, _) = HEADER.unpack(data[:128])
        assert header_size == 128
        self.header_size = 128
        self.manifest = json.loads(data[128:128 + manifest_size])
        self.manifest_text = None  # set: used as it stands
        table = data[table_offset:table_offset + table_size]
        self.records = [Record(table[i:i + 64]) for i in range(0, table_size, 64)]
        self.payload = data[payload_offset:]
        self.set = {}           # header fields that are written as given
        self.pad_byte = b"\0"   # what stands between the sections
        self.area = None        # signature area as it stands
        self.record_flags = 0   # of the signature record
        self.area_tail = b""    # behind the signature record
        self.tail = b""         # behind the payload
        self.crc = None
        self.fix_table = True   # make the manifest agree with the table

    def text(self):
        """The manifest's bytes."""
        if self.manifest_text is not None:
            return self.manifest_text
        table = b"".join(r.pack() for r in self.records)
        if self.fix_table:
            self.manifest["table"] = {"records": len(self.records), "sha256":
                                      hashlib.sha256(table).hexdigest(), "size": len(table)}
            self.manifest["payload"] = {"size": len(self.payload)}
            for part in self.manifest["partitions"]:
                rows = self.records[part["first"]:part["first"] + part["count"]]
                part["sha256_list"] = hashlib.sha256(
                    b"".join(r.raw_sha for r in rows)).hexdigest()
        return canonical(self.manifest)

    def bytes(self, cert, key):
        """The file, signed by this key."""
        text = self.text()
        table = b"".join(r.pack() for r in self.records)
        head_end = 128 + len(text) + self.area_size
        table_offset = align(head_end, 64)
        payload_offset = align(table_offset + len(table), 4096)
        fields = {"file_size": payload_offset + len(self.payload), "manifest_size": len(text),
                  "area_size": self.area_size, "table_offset": table_offset,
                  "table_size": len(table), "payload_offset": payload_offset,
                  "payload_size": len(self.payload),
                  "manifest_sha256": hashlib.sha256(text).digest()}
        fields.update(self.set)
        header = HEADER.pack(
            self.magic, self.major, self.minor, self.header_size, self.incompat, self.compat,
            fields["file_size"], fields["manifest_size"], fields["area_size"],
            fields["table_offset"], fields["table_size"], self.reserved1,
            fields["payload_offset"], fields["payload_size"], fields["manifest_sha256"],
            self.reserved2, 0)[:124]
        header += struct.pack("<I", self.crc if self.crc is not None else crc32c(header))
        message = header + text
        area = self.area
        if area is None:
            signature = cms(message, cert, key)
            area = struct.pack("<HHI", 1, self.record_flags, len(signature)) + signature
            area += self.area_tail
        area = area.ljust(self.area_size, b"\0")
        out = message + area
        out += self.pad_byte * (table_offset - len(out)) + table
        out += self.pad_byte * (payload_offset - len(out)) + self.payload
        return out + self.tail

    def data_records(self):
        """Indices of records that own stored bytes, each first occurrence."""
        seen, rows = set(), []
        for index, row in enumerate(self.records):
            if row.codec != 3 and row.stored_off not in seen:
                seen.add(row.stored_off)
                rows.append(index)
        return rows

    def replace_stored(self, index, codec, stored, raw_len=None):
        """Other stored bytes for a chunk: every hash and offset is made right again."""
        row = self.records[index]
        start, end = row.stored_off, row.stored_off + row.stored_len
        shift = len(stored) - row.stored_len
        self.payload = self.payload[:start] + stored + self.payload[end:]
        for other in self.records:
            if other.stored_off >= end and other is not row:
                other.stored_off += shift
        row.codec, row.stored_len = codec, len(stored)
        row.stored_sha = hashlib.sha256(stored).digest()[:16]
        if raw_len is not None:
            row.raw_len = raw_len


def canonical(value):
    """The one text of a JSON value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
