"""What is sealed to an agency: only it opens it, nothing can be changed, and no two look alike."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from services.views.domain.document import PAD, padded
from services.views.seal import sealed_to

ALGORITHMS = ["ECDH-ES", "A256GCM"]
MINE, OTHER = OKPKey.generate_key("X25519"), OKPKey.generate_key("X25519")
PUBLIC = MINE.as_dict(private=False)


@settings(max_examples=50)
@given(st.binary(max_size=2 * PAD))
def test_who_has_the_key_opens_it_and_nobody_else(plain: bytes) -> None:
    sealed = sealed_to(PUBLIC, plain)
    opened = jwe.decrypt_compact(sealed, MINE, algorithms=ALGORITHMS)
    assert opened.plaintext == padded(plain)
    assert opened.protected["cty"] == "application/json"
    with pytest.raises((JoseError, ValueError)):
        jwe.decrypt_compact(sealed, OTHER, algorithms=ALGORITHMS)


def test_no_two_are_sealed_by_one_key_or_nonce() -> None:
    sealed = [sealed_to(PUBLIC, b"{}").split(".") for _ in range(100)]
    assert len({one[0] for one in sealed}) == len({one[2] for one in sealed}) == 100


def test_a_changed_header_or_text_does_not_open() -> None:
    header, _, nonce, text, tag = sealed_to(PUBLIC, b"{}").split(".")
    turned = ("B" if text[0] == "A" else "A") + text[1:]
    other = sealed_to(PUBLIC, b"{}").split(".")[0]
    for parts in ((header, "", nonce, turned, tag), (other, "", nonce, text, tag)):
        with pytest.raises((JoseError, ValueError)):
            jwe.decrypt_compact(".".join(parts), MINE, algorithms=ALGORITHMS)


def test_nothing_is_sealed_to_a_point_of_small_order() -> None:
    """Anybody could open it (RFC 7748, 6.1)."""
    with pytest.raises(ValueError, match="shared key"):
        sealed_to({"x": "A" * 43}, b"{}")
