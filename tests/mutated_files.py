"""A hypothesis strategy that damages files, as readers of them must expect."""

from hypothesis import strategies as st


@st.composite
def mutated(draw, original):
    """Draw `original` with a few of its bytes changed, left out, or put in."""
    data = bytearray(original)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        stop = draw(st.integers(start, min(len(data), start + 20)) | st.just(len(data)))
        data[start:stop] = draw(st.binary(max_size=20))
    return bytes(data)
