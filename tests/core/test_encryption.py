"""What is encrypted is readable in its own place, under its own key, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from advancia.core import encryption
from advancia.core.encryption import Ciphertext, Keyring, NoFieldKey, NotRegistered, Undecryptable, key_id_of

OLD, NEW = ("2025", b"\x01" * 32), ("2026", b"\x02" * 32)
HERE = {"table": "safes", "column": "content", "row": 7}


class Base(DeclarativeBase):
    """Tables that only these tests know."""


class Safe(Base):
    __tablename__ = "safes"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    content: Mapped[Ciphertext]
    spare: Mapped[Ciphertext | None]
    label: Mapped[str] = mapped_column(Text)


class Drawer(Base):
    __tablename__ = "drawers"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    content: Mapped[Ciphertext]


@pytest.fixture(autouse=True)
def tables(monkeypatch):
    monkeypatch.setattr(encryption, "Model", Base)


@pytest.fixture
def keyring():
    return Keyring([NEW, OLD])


@pytest.mark.parametrize("plain", [b"", b"x", b"JBSWY3DPEHPK3PXP", bytes(range(256)) * 1000])
def test_what_was_encrypted_comes_back(keyring, plain):
    stored = keyring.encrypt(plain, **HERE)

    assert keyring.decrypt(stored, **HERE) == plain
    assert len(plain) < 8 or plain[:8] not in stored


def test_the_same_value_never_looks_the_same_twice(keyring):
    assert len({keyring.encrypt(b"123456", **HERE) for _ in range(1000)}) == 1000


def test_the_newest_key_encrypts_and_the_value_says_so(keyring):
    stored = keyring.encrypt(b"x", **HERE)

    assert keyring.newest == key_id_of(stored) == "2026"
    assert stored.startswith(keyring.newest_head)


def test_older_keys_still_decrypt(keyring):
    stored = Keyring([OLD]).encrypt(b"since last year", **HERE)

    assert key_id_of(stored) == "2025"
    assert keyring.decrypt(stored, **HERE) == b"since last year"


@pytest.mark.parametrize(
    "elsewhere",
    [
        {**HERE, "row": 8},
        {**HERE, "row": "07"},
        {**HERE, "column": "spare"},
        {**HERE, "table": "drawers"},
        # The same letters, shared out differently between table, column and row.
        {"table": "safescontent", "column": "", "row": 7},
        {"table": "safes", "column": "content7", "row": ""},
    ],
)
def test_moved_elsewhere_it_is_unreadable(keyring, elsewhere):
    stored = keyring.encrypt(b"JBSWY3DPEHPK3PXP", **HERE)

    with pytest.raises(Undecryptable):
        keyring.decrypt(stored, **elsewhere)


def test_every_single_changed_byte_is_noticed(keyring):
    stored = keyring.encrypt(b"JBSWY3DPEHPK3PXP", **HERE)

    for place in range(len(stored)):
        for change in (0x01, 0x80):
            changed = bytearray(stored)
            changed[place] ^= change
            with pytest.raises(Undecryptable):
                keyring.decrypt(bytes(changed), **HERE)


def test_every_cut_and_every_addition_is_noticed(keyring):
    stored = keyring.encrypt(b"JBSWY3DPEHPK3PXP", **HERE)

    for length in range(len(stored)):
        with pytest.raises(Undecryptable):
            keyring.decrypt(stored[:length], **HERE)
    with pytest.raises(Undecryptable):
        keyring.decrypt(stored + b"\x00", **HERE)


@given(rubbish=st.binary(max_size=100))
def test_rubbish_is_refused_and_never_breaks_anything(rubbish):
    with pytest.raises(Undecryptable):
        Keyring([NEW]).decrypt(rubbish, **HERE)


def test_a_value_cannot_be_passed_off_as_one_of_another_key(keyring):
    """Both ids exist; the one that the value names belongs to what is authenticated."""
    stored = keyring.encrypt(b"x", **HERE).replace(b"2026", b"2025")

    with pytest.raises(Undecryptable):
        Keyring([("2026", NEW[1]), ("2025", NEW[1])]).decrypt(stored, **HERE)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ([OLD], "under the key 2026, which FIELD_KEYS does not hold"),
        ([("2026", b"\x03" * 32)], "under another key that is named 2026 too"),
        ([], "under the key 2026, which FIELD_KEYS does not hold"),
    ],
)
def test_a_wrong_key_is_told_by_its_name_and_nothing_else(keyring, keys, says):
    stored = keyring.encrypt(b"JBSWY3DPEHPK3PXP", **HERE)

    with pytest.raises(Undecryptable) as trouble:
        Keyring(keys).decrypt(stored, **HERE)

    assert says in str(trouble.value)
    assert "safes.content of row 7" in str(trouble.value)
    assert "JBSWY" not in str(trouble.value)


def test_without_a_key_nothing_is_stored_in_plain_text():
    with pytest.raises(NoFieldKey):
        Keyring([]).encrypt(b"x", **HERE)


@pytest.mark.parametrize(
    ("table", "column"), [("safes", "label"), ("safes", "nothing"), ("nowhere", "content")]
)
def test_a_column_outside_the_registry_is_refused(keyring, table, column):
    with pytest.raises(NotRegistered):
        keyring.encrypt(b"x", table=table, column=column, row=1)


def test_the_registry_lists_what_the_models_declare():
    told = [(each.table, each.column, each.key) for each in encryption.encrypted_columns()]

    assert told == [("drawers", "content", "id"), ("safes", "content", "id"), ("safes", "spare", "id")]


def test_a_keyring_shows_no_secret(keyring):
    assert repr(keyring) == "Keyring(2026, 2025)"
