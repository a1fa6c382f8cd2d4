"""Short vectors: prefixes, codes, and the ranking they give without being decoded."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from gradus.encoders.compression import encode, halvings, prefix
from gradus.errors import ModelError


def unit(count: int, size: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, size)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_a_prefix_is_brought_back_to_unit_length() -> None:
    vectors = np.array([[0.6, 0.0, 0.8], [0.36, 0.48, 0.8], [0.0, 0.0, 1.0]], np.float32)
    # (0.36, 0.48) has length 0.6; a vector with nothing in the prefix stays zero.
    np.testing.assert_allclose(prefix(vectors, 2), [[1, 0], [0.6, 0.8], [0, 0]], atol=1e-7)
    assert prefix(vectors, 3) is vectors


@pytest.mark.parametrize("dimensions", [0, 4])
def test_a_prefix_longer_than_the_vectors_is_refused(dimensions: int) -> None:
    with pytest.raises(ModelError, match=f"--dimensions is {dimensions}, but the model's vectors have 3"):
        prefix(unit(2, 3), dimensions)


def test_int8_by_hand() -> None:
    vectors = np.array([[-0.2], [0.434], [0.117], [0.122]], np.float32)
    codes = encode(vectors, "int8")
    # The range -0.2 to 0.434 has its middle at 0.117 and 254 steps of 0.0024961.
    assert codes.offset == pytest.approx(0.117)
    assert codes.scale == pytest.approx(0.634 / 254)
    assert codes.values.dtype == np.int8
    assert codes.values[:, 0].tolist() == [-127, 127, 0, 2]
    assert codes.bytes == 1


def test_binary_by_hand() -> None:
    column = np.array([1.25, 0.25, 0.25, 0.25], np.float32)
    codes = encode(np.repeat(column[:, None], 16, axis=1), "binary")
    # Mean 1/2; distances to it 3/4 and three times 1/4, in the mean 3/8.
    assert codes.offset.tolist() == [0.5] * 16
    assert codes.scale.tolist() == [0.375] * 16
    assert codes.values.tolist() == [[255, 255], [0, 0], [0, 0], [0, 0]]
    assert codes.codes()[:2, 0].tolist() == [1, -1]
    assert codes.decode()[:2, 0].tolist() == [0.875, 0.125]
    assert codes.bytes == 2


def test_binary_needs_whole_bytes() -> None:
    with pytest.raises(ModelError, match="12 is no multiple of 8"):
        encode(unit(3, 12), "binary")


@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 20), st.sampled_from([8, 16])),
        elements=st.floats(-1, 1, width=32),
    )
)
def test_int8_errs_by_half_a_step_at_most(vectors: np.ndarray) -> None:
    codes = encode(vectors, "int8")
    assert np.all(np.abs(codes.decode() - vectors) <= codes.scale * 0.5 + 1e-6)


@pytest.mark.parametrize("precision", ["float32", "int8", "binary"])
def test_codes_rank_as_what_they_stand_for(precision: str) -> None:
    documents, queries = unit(200, 32), unit(20, 32, 1)
    codes = encode(documents, precision)  # type: ignore[arg-type]
    coded = (queries * codes.scale) @ codes.codes().T
    constant = queries @ codes.offset
    np.testing.assert_allclose(coded + constant[:, None], queries @ codes.decode().T, atol=1e-5)


def test_fewer_bits_err_more() -> None:
    documents = unit(500, 64)
    errors = [np.abs(encode(documents, p).decode() - documents).mean() for p in ("float32", "int8", "binary")]
    assert errors[0] == 0
    assert 0 < errors[1] < 0.05 * errors[2]


def test_signs_of_both_sides_rank_by_equal_bits() -> None:
    documents, queries = unit(50, 16), unit(3, 16, 1)
    codes = encode(documents, "binary")
    asked = np.packbits(queries > 0, axis=1)
    differing = np.unpackbits(asked[:, None] ^ codes.values[None], axis=2).sum(axis=2)
    np.testing.assert_array_equal(np.where(queries > 0, 1, -1) @ codes.codes().T, 16 - 2.0 * differing)


def test_halvings() -> None:
    assert halvings(256) == [256, 128, 64, 32]
    assert halvings(300) == [300, 144, 72, 32]
    assert halvings(48) == [48]
