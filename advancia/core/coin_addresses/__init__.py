"""Addresses on the networks that coins travel on: whether one can be right, before money is sent there for good.

An address carries check digits of its own. They find every slip of the hand and nearly every mixed-up letter; whose
address it is they cannot tell.
"""

from advancia.core.coin_addresses.checking import CHECKED_NETWORKS, InvalidAddress, checked, words_of

__all__ = ["CHECKED_NETWORKS", "InvalidAddress", "checked", "words_of"]
