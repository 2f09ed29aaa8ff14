"""Zip archives of uncompressed records, as PyTorch's files are: each record begins at a multiple of 64 bytes.

``zipfile`` reads them. It does not write them: its headers are written twice, and a checksum by ``zlib`` takes longer than
the rest of a file.
"""

from __future__ import annotations

import struct

from lumbre import _C

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import IO

try:
    crc32 = _C._crc32
except AttributeError:  # the processor has no instruction that it would gain by
    from zlib import crc32

ALIGNMENT = 64
PIECE = 1 << 20  # bytes that are copied at a time
WIDE = 0xFFFFFFFF  # from here on a size or a place stands in the 64 bits of an extra field
_MANY = 0xFFFF
_PLAIN_VERSION, _WIDE_VERSION = 20, 45  # of the format: 2.0, and 4.5 with 64 bits
_UTF8 = 0x800
_DATE = 0x21  # 1 January 1980: files do not depend on when they are written
_PERMISSIONS = 0o600 << 16
_UNIX = 3 << 8


class ArchiveWriter:
    """Writes records, then their directory, to a file that can be gone back in.

    PKWARE, "APPNOTE.TXT: .ZIP File Format Specification", version 6.3.3.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.start = self.place = file.tell()
        self.directory: list[bytes] = []

    def record(self, path: str, size: int, pieces: Iterable[bytes]) -> None:
        """A record of ``size`` bytes."""
        name = path.encode()
        begin = self.place
        wide = struct.pack("<HHQQ", 1, 16, size, size) if size >= WIDE else b""
        padding = -(begin + 30 + len(name) + len(wide) + 4) % ALIGNMENT
        extra = wide + b"FB" + struct.pack("<H", padding) + b"Z" * padding
        if size <= PIECE:
            data = b"".join(pieces)
            crc = crc32(data)
            self.file.write(self._header(name, size, crc, extra))
            self.file.write(data)
        else:
            self.file.write(self._header(name, size, 0, extra))
            crc = 0
            for piece in pieces:
                crc = crc32(piece, crc)
                self.file.write(piece)
            self.file.seek(begin + 14)
            self.file.write(struct.pack("<L", crc))
            self.file.seek(begin + 30 + len(name) + len(extra) + size)
        self.place = begin + 30 + len(name) + len(extra) + size
        self.directory.append(self._entry(name, size, crc, begin - self.start))

    def end(self) -> None:
        """The directory."""
        begin, listing, count = self.place - self.start, b"".join(self.directory), len(self.directory)
        tail = b""
        if count >= _MANY or begin >= WIDE or len(listing) >= WIDE:
            fields = (_WIDE_VERSION | _UNIX, _WIDE_VERSION, 0, 0, count, count, len(listing), begin)
            tail += struct.pack("<4sQHHLLQQQQ", b"PK\x06\x06", 44, *fields)
            tail += struct.pack("<4sLQL", b"PK\x06\x07", 0, begin + len(listing), 1)
        few, short, near = min(count, _MANY), min(len(listing), WIDE), min(begin, WIDE)
        tail += struct.pack("<4sHHHHLLH", b"PK\x05\x06", 0, 0, few, few, short, near, 0)
        self.file.write(listing + tail)

    def _header(self, name: bytes, size: int, crc: int, extra: bytes) -> bytes:
        common = self._common(name, size, crc, size >= WIDE)
        return b"PK\x03\x04" + common + struct.pack("<HH", len(name), len(extra)) + name + extra

    def _entry(self, name: bytes, size: int, crc: int, place: int) -> bytes:
        wide = [size, size] if size >= WIDE else []
        wide += [place] if place >= WIDE else []
        extra = struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
        version = struct.pack("<H", (_WIDE_VERSION if wide else _PLAIN_VERSION) | _UNIX)
        rest = struct.pack("<HHHHHLL", len(name), len(extra), 0, 0, 0, _PERMISSIONS, min(place, WIDE))
        return b"PK\x01\x02" + version + self._common(name, size, crc, bool(wide)) + rest + name + extra

    @staticmethod
    def _common(name: bytes, size: int, crc: int, wide: bool) -> bytes:
        """What a header and an entry of the directory both have."""
        flags = 0 if name.isascii() else _UTF8
        version = _WIDE_VERSION if wide else _PLAIN_VERSION
        short = min(size, WIDE)
        return struct.pack("<HHHHHLLL", version, flags, 0, 0, _DATE, crc, short, short)
