"""Cases of the operators on numbers and sound: matrices, segments, spectra, decoding of audio files."""

from __future__ import annotations

import io
import struct
import wave
from collections.abc import Iterable

import numpy as np

from tests.custom_ops.extensions_parity import Node, scalar, strings

_rng = np.random.default_rng(5)
_SIGNED = _rng.standard_normal((2, 3)).astype(np.float32)

MATH = [
    Node(
        "NegPos",
        [[_SIGNED], [_SIGNED[:0]], [scalar(-1.5, np.float32)], [np.array([np.nan, -0.0, np.inf], np.float32)]],
        2,
    ),
    Node(
        "Inverse",
        [
            [np.array([[2, 1], [1, 3]], np.float32)],
            [_rng.standard_normal((5, 5)).astype(np.float32)],
            [np.array([[4]], np.float32)],
            [np.zeros((2, 2), np.float32)],
            [np.zeros(3, np.float32)],
        ],
    ),
    Node(
        "SegmentSum",
        [
            [_SIGNED, np.array([0, 1])],
            [_SIGNED, np.array([0, 0])],
            [np.arange(6, dtype=np.float32), np.array([0, 0, 1, 1, 1, 2])],
            [_SIGNED, np.array([0, 2])],
            [_SIGNED, np.array([0])],
            [_SIGNED, np.array([[0], [1]])],
            [scalar(1, np.float32), np.array([0])],
        ],
    ),
    Node(
        "SegmentExtraction",
        [
            [np.array([0, 0, 1, 1, 2, 0, 3])],
            [np.array([[5, 5, 0, 5]])],
            [np.array([], np.int64)],
            [np.zeros(4, np.int64)],
            [np.ones((2, 2), np.int64)],
        ],
        outputs=2,
    ),
    Node("ArgSort", [[_SIGNED, scalar(1)], [_SIGNED, scalar(0)], [_SIGNED[:0], scalar(1)]]),
]

RATE = 16000
_time = np.arange(RATE // 4) / RATE
TONE = (0.5 * np.sin(2 * np.pi * 440 * _time) * (_time > 0.1)).astype(np.float32)
_HANN = np.hanning(401)[:400].astype(np.float32)


def _stft(signal: np.ndarray, n_fft: int = 400, hop: int = 160, frame: int = 400) -> list[np.ndarray]:
    return [signal, scalar(n_fft), scalar(hop), _HANN, scalar(frame)]


def _split(signal: np.ndarray, threshold: float = -30.0) -> list[np.ndarray]:
    return [signal, np.array([RATE]), np.array([25]), np.array([10]), np.array([threshold], np.float32)]


SPECTRA = [
    Node("StftNorm", [_stft(TONE[None]), _stft(TONE[None, :400]), _stft(TONE), _stft(TONE[None], frame=200)]),
    Node("StftNorm", [_stft(TONE[None])], attributes={"onesided": 0}),
    Node(
        "SplitSignalSegments",
        [_split(TONE[None]), _split(TONE[None], -3.0), _split(np.zeros((1, 4000), np.float32)), _split(TONE)],
    ),
    Node(
        "MergeSignalSegments",
        [
            [np.array([[0, 10], [15, 20], [40, 50], [45, 60]]), np.array([5])],
            [np.array([[0, 10], [15, 20]]), np.array([0])],
            [np.zeros((0, 2), np.int64), np.array([5])],
            [np.zeros((2, 3), np.int64), np.array([5])],
        ],
    ),
]

# ---- audio files


def wav(samples: np.ndarray, rate: int = RATE, channels: int = 1) -> np.ndarray:
    """A RIFF file of 8, 16 or 32 bits per sample, as bytes."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((channels, samples.itemsize, rate, 0, "NONE", ""))
        writer.writeframes(samples.tobytes())
    return np.frombuffer(file.getvalue(), np.uint8)


def _crc(data: bytes, bits: int, polynomial: int) -> int:
    remainder = 0
    for byte in data:
        remainder ^= byte << (bits - 8)
        for _ in range(8):
            remainder = (remainder << 1) ^ (polynomial if remainder >> (bits - 1) else 0)
            remainder &= (1 << bits) - 1
    return remainder


def flac(blocks: Iterable[np.ndarray], rate: int = RATE) -> np.ndarray:
    """A mono FLAC file of 16 bits: blocks of equal size, each in one frame with a verbatim subframe."""
    blocks = list(blocks)
    size = len(blocks[0])
    frames = b""
    for number, block in enumerate(blocks):
        head = struct.pack(">HBBBH", 0xFFF8, 0x70, 0x08, number, size - 1)
        frame = head + bytes([_crc(head, 8, 0x07)]) + b"\x02" + block.astype(">i2").tobytes()
        frames += frame + struct.pack(">H", _crc(frame, 16, 0x8005))
    packed = rate << 44 | 15 << 36 | size * len(blocks)
    info = struct.pack(">HH", size, size) + bytes(6) + struct.pack(">Q", packed) + bytes(16)
    return np.frombuffer(b"fLaC" + bytes([0x80, 0, 0, len(info)]) + info + frames, np.uint8)


_PCM = (TONE * 32767).astype("<i2")
_STEREO = np.stack([_PCM, -_PCM // 2], axis=1)
WAV, FLAC = wav(_PCM), flac(_PCM.reshape(4, 1000))
_BYTES = wav((TONE * 127 + 128).astype(np.uint8))
MP3 = np.frombuffer((b"\xff\xfb\x90\xc0" + bytes(413)) * 4, np.uint8)  # four silent frames
_JUNK = np.frombuffer(b"not a sound at all", np.uint8)
_CUT_RIFF = np.frombuffer(b"RIFF\x10\0\0\0WAVEfmt ", np.uint8)

AUDIO = [
    Node(
        "AudioDecoder",
        [
            *([data] for data in (WAV, WAV[None], FLAC, MP3, _BYTES, wav(_STEREO, channels=2))),
            *([data] for data in (_JUNK, _CUT_RIFF, FLAC[:20], np.stack([WAV, WAV]))),
        ],
    ),
    Node("AudioDecoder", [[WAV, strings(name)] for name in ("wav", "flac", "default", "", "ogg")]),
    Node("AudioDecoder", [[wav(_STEREO, channels=2)], [WAV]], attributes={"stereo_to_mono": 1}),
    Node("AudioDecoder", [[WAV], [FLAC], [wav(_PCM, 8000)]], attributes={"downsampling_rate": 8000}),
    Node("AudioDecoder", [[WAV]], attributes={"downsampling_rate": 44100}),
]

NODES = [*MATH, *SPECTRA, *AUDIO]
