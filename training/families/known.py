"""The families that can be trained, by name."""

from training.families import contrastive, convolutional, imagenet
from training.families.contract import Family


def families() -> dict[str, Family]:
    """All families, by name."""
    return {family.name: family for family in (contrastive.FAMILY, convolutional.FAMILY, *imagenet.FAMILIES)}


def family_named(name: str) -> Family:
    """The family of this name.

    Raises:
        ValueError: there is none; the message lists those there are.
    """
    known = families()
    if name not in known:
        raise ValueError(f"no family of autoencoders is called {name!r}: choose from {', '.join(known)}")
    return known[name]
