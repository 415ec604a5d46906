"""Addresses of coins: known ones hold, and no slip of the hand passes."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advancia.core.coin_addresses import CHECKED_NETWORKS, InvalidAddress, base58, checked
from advancia.core.coin_addresses.keccak import keccak256

# From BIP 173, BIP 350, EIP-55, and the addresses of the first block and of well-known contracts.
RIGHT = {
    "btc": [
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
        "bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
    ],
    "eth": [
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0xde709f2102306220921060314715629080e2fb77",
    ],
    "tron": ["TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", "TDD97yguPESTpcrJMqU6h2ozZbibv4Vaqm"],
}
ALL_RIGHT = [(network, address) for network, addresses in RIGHT.items() for address in addresses]
# From BIP 173 and BIP 350: other networks, check digits of the other kind, wrong lengths, mixed letters, padding.
WRONG = {
    "btc": [
        "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
        "BC13W508D6QEJXTDG4Y5R3ZARVARY0C5XW7KN40WF2",
        "bc1rw5uspcuh",
        "bc10w508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kw5rljs90",
        "BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P",
        "bc1qW508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        "bc1zw508d6qejxtdg4y5r3zarvaryvqyzf3du",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd",
        "bc1gmk9yu",
        "bc1",
        "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn",
        "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t",
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7Divf0a",
        "1",
        "",
    ],
    "eth": [
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1Beaed",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe",
        "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeg",
        "0x\u0665aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t",
    ],
    "tron": [
        "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6u",
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        "0x" + "a" * 40,
        "T" * 500,
    ],
}


@pytest.mark.parametrize(("network", "address"), ALL_RIGHT)
def test_a_known_address_holds_and_blanks_around_it_do_not_matter(network, address):
    assert checked(f"  {address}\n", network=network).lower() == address.lower()


@pytest.mark.parametrize(
    ("network", "address"), [(net, each) for net, wrong in WRONG.items() for each in wrong]
)
def test_what_is_no_address_of_the_network_is_refused(network, address):
    with pytest.raises(InvalidAddress):
        checked(address, network=network)


@given(st.sampled_from(ALL_RIGHT), st.data())
def test_one_wrong_character_is_always_found(known, data):
    network, address = known
    place = data.draw(st.integers(2 if network == "eth" else 0, len(address) - 1))
    other = data.draw(st.sampled_from("23456789abcdefghjkmnpqrstuvwxyzACDEFGHJKLMNPQRSTUVWXYZ"))
    slip = address[:place] + other + address[place + 1 :]
    if slip.lower() == address.lower() or (
        network == "eth" and slip[2:] in (slip[2:].lower(), slip[2:].upper())
    ):
        return  # the same address, or one without check digits
    with pytest.raises(InvalidAddress):
        checked(slip, network=network)


def test_an_address_without_check_digits_gets_them():
    address = RIGHT["eth"][0]

    assert checked(address.lower(), network="eth") == address
    assert checked("0x" + address[2:].upper(), network="bsc") == address


def test_a_network_of_which_we_know_no_rules_is_refused_and_says_so():
    with pytest.raises(InvalidAddress, match="cannot be checked"):
        checked("DH5yaieqoZN36fDVciNyRueRGvGLR3mr7L", network="doge")
    assert {"btc", "eth", "tron"} <= set(CHECKED_NETWORKS)


@given(st.binary(min_size=1, max_size=40))
def test_base58_gives_back_what_was_put_in(content):
    assert base58.decoded(base58.encoded(content)) == content


@pytest.mark.parametrize(
    ("message", "digest"),
    [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
        (b"transfer(address,uint256)", "a9059cbb2ab09eb219583f4a59a5d0623ade346d962bcd4e46b11da047c9049b"),
    ],
)
def test_keccak_gives_the_known_digests(message, digest):
    assert keccak256(message).hex() == digest


@pytest.mark.parametrize("length", [1, 134, 135, 136, 137, 272, 300])
def test_keccak_is_sha3_but_for_its_padding(length):
    """With the padding of SHA-3 the same rounds give what hashlib gives."""
    import advancia.core.coin_addresses.keccak as module

    source = module.__loader__.get_source(module.__name__).replace(r'b"\x01"', r'b"\x06"')
    space: dict[str, object] = {}
    exec(compile(source, "sha3", "exec"), space)  # noqa: S102 - our own module, with one byte changed
    message = bytes(range(256)) * 2

    assert space["keccak256"](message[:length]) == hashlib.sha3_256(message[:length]).digest()
