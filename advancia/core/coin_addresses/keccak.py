"""Keccak-256, as Ethereum uses it: SHA-3 before it was standardised, which Python's hashlib does not have."""

from __future__ import annotations

_ROUNDS = 24
_RATE = 136  # bytes that are taken in at once
_SIZE = 32
_WORD = (1 << 64) - 1


def keccak256(message: bytes) -> bytes:
    """The digest of a short message: it is slow, and meant for addresses."""
    padded = bytearray(message + b"\x01" + bytes(-(len(message) + 1) % _RATE))
    padded[-1] |= 0x80
    lanes = [[0] * 5 for _ in range(5)]
    for start in range(0, len(padded), _RATE):
        for place in range(_RATE // 8):
            word = int.from_bytes(padded[start + 8 * place : start + 8 * place + 8], "little")
            lanes[place % 5][place // 5] ^= word
        lanes = _permuted(lanes)
    return b"".join(lanes[place % 5][place // 5].to_bytes(8, "little") for place in range(_SIZE // 8))


def _permuted(lanes: list[list[int]]) -> list[list[int]]:
    register = 1
    for _ in range(_ROUNDS):
        lanes = _chi(_rho_and_pi(_theta(lanes)))
        for power in range(7):  # the round's constant, from a shift register of eight bits
            register = (register << 1 ^ (register >> 7) * 0x71) % 256
            if register & 2:
                lanes[0][0] ^= 1 << ((1 << power) - 1)
    return lanes


def _theta(lanes: list[list[int]]) -> list[list[int]]:
    sums = [column[0] ^ column[1] ^ column[2] ^ column[3] ^ column[4] for column in lanes]
    mixed = [sums[(x - 1) % 5] ^ _turned(sums[(x + 1) % 5], 1) for x in range(5)]
    return [[lane ^ mixed[x] for lane in lanes[x]] for x in range(5)]


def _rho_and_pi(lanes: list[list[int]]) -> list[list[int]]:
    moved = [column[:] for column in lanes]
    x, y, current = 1, 0, lanes[1][0]
    for step in range(24):
        x, y = y, (2 * x + 3 * y) % 5
        current, moved[x][y] = lanes[x][y], _turned(current, (step + 1) * (step + 2) // 2)
    return moved


def _chi(lanes: list[list[int]]) -> list[list[int]]:
    return [
        [lanes[x][y] ^ (~lanes[(x + 1) % 5][y] & lanes[(x + 2) % 5][y] & _WORD) for y in range(5)]
        for x in range(5)
    ]


def _turned(word: int, by: int) -> int:
    by %= 64
    return (word << by | word >> (64 - by)) & _WORD
