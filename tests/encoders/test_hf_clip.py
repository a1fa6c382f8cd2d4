"""The halves of dual encoders answer as the whole model does, with its own processors."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers", reason="needs the hf extra")

import tiny_models as tiny  # noqa: E402

from gradus.catalog.fields import Field  # noqa: E402
from gradus.catalog.table import Table  # noqa: E402
from gradus.encoders.encoder import Encoder  # noqa: E402
from gradus.encoders.hf import load_towers  # noqa: E402
from gradus.encoders.hf_clip import DualImageTower, DualTextTower, half  # noqa: E402
from gradus.encoders.pretrained import read_image_processor, read_tokenizer  # noqa: E402
from gradus.errors import ModelError  # noqa: E402

MAKERS = {"clip": tiny.save_clip, "siglip": tiny.save_siglip, "siglip2": tiny.save_siglip2}
SIZES = {"clip": 8, "siglip": 16, "siglip2": 16}
ROWS = np.arange(4)


@pytest.fixture(scope="module", params=list(MAKERS))
def dual(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    model = MAKERS[request.param](folder)
    towers = load_towers(str(folder), str(folder))
    for tower in towers.values():
        tower.eval()
    return request.param, folder, model, towers


def test_texts_answer_as_the_models_text_features(dual):
    name, folder, model, towers = dual
    rows = np.array([3, 0, 4])
    inputs = read_tokenizer(str(folder))(
        [tiny.TEXTS[row] for row in rows],
        padding="longest" if name == "clip" else "max_length",
        truncation=True,
        max_length=12,
        return_tensors="pt",
    )
    if name != "clip":
        del inputs["attention_mask"]  # SigLIP was trained attending to the filling
    with torch.no_grad():
        expected = model.get_text_features(
            input_ids=inputs["input_ids"], attention_mask=inputs.get("attention_mask")
        ).pooler_output
        found = towers["text"](towers["text"].prepare(tiny.TEXTS, None).batch(rows, None))
    assert towers["text"].size == SIZES[name] == found.shape[1]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_pictures_answer_as_the_models_image_features(dual):
    name, folder, model, towers = dual
    inputs = read_image_processor(str(folder))(images=tiny.PICTURES, return_tensors="pt")
    features = towers["image"].prepare([tiny.png(image) for image in tiny.PICTURES], None)
    with torch.no_grad():
        expected = model.get_image_features(**inputs).pooler_output
        found = towers["image"](features.batch(ROWS, None))
    assert towers["image"].size == SIZES[name] == found.shape[1]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    # Different pictures differ by far more than the tolerance.
    assert torch.cdist(expected, expected)[~torch.eye(4, dtype=bool)].min() > 1e-2


def test_a_batch_does_not_change_an_answer(dual):
    _, _, _, towers = dual
    features = towers["text"].prepare(tiny.TEXTS, None)
    with torch.no_grad():
        together = towers["text"](features.batch(np.array([1, 2, 3]), None))
        alone = towers["text"](features.batch(np.array([1]), None))
    torch.testing.assert_close(together[:1], alone, atol=1e-5, rtol=0)


def test_each_half_keeps_only_its_own_weights_and_all_of_them_learn(dual):
    _, _, model, towers = dual
    features = towers["image"].prepare([tiny.png(image) for image in tiny.PICTURES], None)
    outputs = {
        "text": towers["text"](towers["text"].prepare(tiny.TEXTS, None).batch(ROWS, None)),
        "image": towers["image"](features.batch(ROWS, np.random.default_rng(0))),
    }
    for modality, output in outputs.items():
        torch.nn.functional.normalize(output, dim=1)[:, 0].sum().backward()
        assert all(p.grad is not None for p in towers[modality].parameters())
        towers[modality].zero_grad()
    count = sum(parameter.numel() for tower in towers.values() for parameter in tower.parameters())
    own = sum(parameter.numel() for parameter in model.parameters(recurse=False))
    assert count == model.num_parameters() - own


def test_one_modality_alone(dual):
    _, folder, _, _ = dual
    text, image = load_towers(str(folder), None), load_towers(None, str(folder))
    assert isinstance(text.pop("text"), DualTextTower)
    assert isinstance(image.pop("image"), DualImageTower)
    assert text == image == {}


def test_encoder_adds_no_projection_and_copes_with_a_missing_picture(dual, tmp_path):
    name, _, _, towers = dual
    fields = (Field("title"), Field("picture", "image"))
    encoder = Encoder({"query": fields, "document": fields}, towers, SIZES[name], False)
    assert not list(encoder.projections.parameters())
    broken = tiny.png(tiny.PICTURES[0])[:200]
    pictures = [tiny.png(tiny.PICTURES[0]), None, broken]
    table = Table(["a", "b", "c"], fields, {"title": tiny.TEXTS[:3], "picture": pictures})
    prepared = encoder.prepare("document", table, tmp_path)
    assert prepared["picture"].present.tolist() == [True, False, False]
    merged = encoder.embed("document", prepared)
    titles = Encoder({"query": fields[:1], "document": fields[:1]}, towers, SIZES[name], False)
    alone = titles.embed("document", titles.prepare("document", table))
    np.testing.assert_allclose(merged[1:], alone[1:], atol=1e-6)
    assert np.abs(merged[0] - alone[0]).max() > 1e-3


def test_a_model_that_embeds_neither_modality_alone_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"'llava' \(bert\) is not a dual encoder"):
        half(tiny.save_bert(tmp_path), "text", "llava")
