"""Image-only towers: what the network sees, how its output becomes a vector, augmentation."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers", reason="needs the hf extra")

import tiny_models as tiny  # noqa: E402

from gradus.encoders.hf import load_towers  # noqa: E402
from gradus.encoders.hf_image import SMALLEST_WINDOW, ImageTower, Preparation, look  # noqa: E402
from gradus.encoders.pretrained import read_image_processor  # noqa: E402
from gradus.errors import ModelError  # noqa: E402

VALUES = [tiny.png(image) for image in tiny.PICTURES]


@pytest.mark.parametrize("make", [tiny.save_vit, tiny.save_convnext])
def test_the_vector_is_the_models_pooled_output(make, tmp_path):
    model = make(tmp_path / "model")
    tower = load_towers(None, str(tmp_path / "model"))["image"].eval()
    inputs = read_image_processor(str(tmp_path / "model"))(images=tiny.PICTURES, return_tensors="pt")
    with torch.no_grad():
        expected = model(**inputs).pooler_output
        for cache in (None, tmp_path / "cache", tmp_path / "cache"):
            batch = tower.prepare([*VALUES, None], cache).batch(np.arange(4), None)
            assert batch["pixels"].dtype == torch.uint8
            torch.testing.assert_close(tower(batch), expected, atol=1e-5, rtol=0)
    assert tower.size == expected.shape[1]


def test_a_vit_without_a_trained_pooler_answers_by_its_first_token(tmp_path):
    model = tiny.save_vit(tmp_path, pooler=False)
    tower = load_towers(None, str(tmp_path))["image"].eval()
    inputs = read_image_processor(str(tmp_path))(images=tiny.PICTURES, return_tensors="pt")
    with torch.no_grad():
        expected = model(**inputs).last_hidden_state[:, 0]
        found = tower(tower.prepare(VALUES, None).batch(np.arange(4), None))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    again = ImageTower.load(tmp_path, tower.save(tmp_path))
    assert again.pooling == "cls"
    again.load_state_dict(tower.state_dict())


def test_a_files_large_picture_is_not_decoded_at_reduced_size(tmp_path):
    # A JPEG may be decoded at half its size for speed; the model's own resize starts from all of it.
    tiny.save_vit(tmp_path)
    tiny.picture(900, 700, 9).save(tmp_path / "large.jpg", quality=95)
    from PIL import Image

    tower = load_towers(None, str(tmp_path))["image"]
    pixels = tower.prepare([tmp_path / "large.jpg"], None).batch(np.array([0]), None)["pixels"]
    with Image.open(tmp_path / "large.jpg") as image:
        own = read_image_processor(str(tmp_path))(images=image, do_rescale=False, do_normalize=False)
    np.testing.assert_array_equal(pixels[0], own["pixel_values"][0])


def test_two_models_share_a_cache_folder(tmp_path):
    tiny.save_vit(tmp_path / "vit")
    tiny.save_clip(tmp_path / "clip")
    names = (str(tmp_path / "vit"), str(tmp_path / "clip"))
    for name in names:
        tower = load_towers(None, name)["image"]
        cached = tower.prepare(VALUES, tmp_path / "cache").batch(np.arange(4), None)["pixels"]
        assert torch.equal(cached, tower.prepare(VALUES, None).batch(np.arange(4), None)["pixels"])


def test_windows_are_drawn_from_the_generator(tmp_path):
    tiny.save_vit(tmp_path)
    tower = load_towers(None, str(tmp_path))["image"].eval()
    features = tower.prepare(VALUES, None)
    one, two, other = (features.batch(np.arange(4), np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert torch.equal(one["window"], two["window"])
    assert not torch.equal(one["window"], other["window"])
    side, centre = one["window"][:, :1], one["window"][:, 1:]
    assert ((side >= SMALLEST_WINDOW) & (side <= 1)).all()
    assert (centre.abs() + side <= 1 + 1e-6).all()
    with torch.no_grad():
        assert not torch.allclose(tower(one), tower(other), atol=1e-4)


def test_look_through_a_window():
    ramp = torch.arange(8.0).expand(1, 3, 8, 8)
    whole = look(ramp, torch.tensor([[1.0, 0.0, 0.0]]))
    torch.testing.assert_close(whole, ramp)
    # The right half, enlarged twice: pixel centres at 0.25, 0.75, … of the columns 3.5 to 7.5.
    right = look(ramp, torch.tensor([[0.5, 0.5, 0.0]]))
    expected = torch.tensor([3.75, 4.25, 4.75, 5.25, 5.75, 6.25, 6.75, 7.0])  # the last at the border
    torch.testing.assert_close(right[0, 0, 3], expected)


def test_a_processor_without_a_fixed_size_is_refused():
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    with pytest.raises(ModelError, match="different sizes"):
        Preparation(ViTImageProcessorPil(size={"shortest_edge": 32}))


def test_text_and_image_models_are_told_apart(tmp_path):
    tiny.save_bert(tmp_path / "bert")
    tiny.save_vit(tmp_path / "vit")
    with pytest.raises(ModelError, match="does not read images"):
        load_towers(None, str(tmp_path / "bert"))
    with pytest.raises(ModelError, match="does not read text"):
        load_towers(str(tmp_path / "vit"), None)
