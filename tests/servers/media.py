"""Small files that are what they say: made here, so that nothing has to be downloaded."""

import io
import struct
import wave
import zlib


def png(width: int = 320, height: int = 200) -> bytes:
    """A picture with a light square on a dark ground."""
    rows = b"".join(
        b"\0" + b"".join(_pixel(x, y, width, height) for x in range(width)) for y in range(height)
    )
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in parts)


def wav(seconds: float = 0.2) -> bytes:
    """Silence, 8,000 samples a second."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(8000)
        sound.writeframes(b"\x80" * int(8000 * seconds))
    return file.getvalue()


def _pixel(x: int, y: int, width: int, height: int) -> bytes:
    is_inside = width // 4 < x < width * 3 // 4 and height // 4 < y < height * 3 // 4
    return b"\xdc\xeb\xea" if is_inside else b"\x0c\x5f\x6b"


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
