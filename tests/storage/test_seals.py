"""Seals: made and known with the secrets, for one purpose, and worth nothing without secrets."""

from crm_framework.storage.seals import UNSEALED, Seals, key_id

OLD, NEW = b"the first of the secrets", b"the one that came after it"


def test_a_seal_fits_what_was_sealed_for_its_purpose_and_nothing_else() -> None:
    seals = Seals((NEW,))
    seal = seals.seal("ten points", "loyalty.account")
    assert seal.startswith(f"{key_id(NEW)}:")
    assert len(seal) == 12 + 1 + 64
    assert seals.fits("ten points", seal, "loyalty.account")
    for said, shown, purpose in (
        ("eleven points", seal, "loyalty.account"),
        ("ten points", seal, "loyalty.reward"),
        ("ten points", seal[:-1] + ("0" if seal[-1] != "0" else "1"), "loyalty.account"),
        ("ten points", seal.replace(key_id(NEW), key_id(OLD)), "loyalty.account"),
        ("ten points", UNSEALED, "loyalty.account"),
        ("ten points", "é" * 77, "loyalty.account"),
    ):
        assert not seals.fits(said, shown, purpose)


def test_former_secrets_still_fit_and_the_first_one_seals() -> None:
    before = Seals((OLD,)).seal("x", "p")
    both = Seals((NEW, OLD))
    assert both.fits("x", before, "p")
    assert both.seal("x", "p") == Seals((NEW,)).seal("x", "p") != before
    assert not Seals((NEW,)).fits("x", before, "p")


def test_without_secrets_a_seal_is_empty_and_fits_only_there() -> None:
    assert Seals().seal("x", "p") == UNSEALED
    assert Seals().fits("x", UNSEALED, "p")
    assert not Seals().fits("x", Seals((NEW,)).seal("x", "p"), "p")
    assert "secret" not in repr(Seals((OLD,)))
