import numpy as np
import pytest
from ort_custom_ops.testing import check_op, run_op

from ort_ops_example.text import NormalizeText, TopPSample
from ort_ops_example.vision import Letterbox

TEXT = np.array([["  ＡＢＣ  Straße\t", "Café"]], object)
LOGITS = np.log(np.array([[0.5, 0.3, 0.15, 0.05], [0.05, 0.05, 0.1, 0.8]], np.float32))


def test_text_is_normalized():
    assert check_op(NormalizeText, TEXT).tolist() == [["abc strasse", "café"]]
    assert check_op(NormalizeText, TEXT, strip_accents=True, lower=False)[0, 1] == "Cafe"
    assert check_op(NormalizeText, TEXT, form="NFC", lower=False, collapse=False).tolist() == TEXT.tolist()


def test_sampling_repeats_for_a_seed_and_keeps_to_the_most_probable():
    first = check_op(TopPSample, LOGITS, seed=3)
    assert first.shape == (2,)
    assert first.dtype == np.int64
    many = np.repeat(LOGITS[:1], 4000, axis=0)
    drawn = np.bincount(run_op(TopPSample, many, top_p=0.7), minlength=4) / 4000
    assert drawn[2:].tolist() == [0, 0]
    assert drawn[0] == pytest.approx(0.5 / 0.8, abs=0.03)
    steps = {tuple(TopPSample(many[:20], np.array(i), top_p=1.0)) for i in range(5)}
    assert len(steps) == 5
    assert check_op(TopPSample, LOGITS, temperature=0.0).tolist() == [0, 3]
    assert check_op(TopPSample, LOGITS.astype(np.float16), top_p=1e-6).tolist() == [0, 3]


def test_sampling_refuses_impossible_settings():
    with pytest.raises(Exception, match="top_p 0.0 is not in"):
        run_op(TopPSample, LOGITS, top_p=0.0)


def test_letterbox_keeps_the_proportions_and_says_how_to_map_back():
    image = np.full((20, 40, 3), 255, np.uint8)
    boxed, scale, offsets = check_op(Letterbox, image, size=(16, 16), fill=0)
    assert boxed.shape == (3, 16, 16)
    assert scale == pytest.approx(0.4)
    assert offsets.tolist() == [0, 4]
    assert boxed[:, 4:12].min() == 1
    assert boxed[:, :4].max() == 0
    assert boxed[:, 12:].max() == 0


def test_letterbox_interpolates():
    ramp = np.repeat(np.arange(0, 250, 25, dtype=np.uint8)[None, :, None], 10, axis=0)
    boxed, _, _ = check_op(Letterbox, ramp, size=(20, 20))
    row = boxed[0, 10] * 255
    assert (np.diff(row) >= 0).all()
    assert row[9:11].tolist() == pytest.approx([106.25, 118.75], abs=0.01)
