"""Text-only towers: tokens, mean pooling, sentence-transformers models."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers", reason="needs the hf extra")

import tiny_models as tiny  # noqa: E402
from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from gradus.encoders.hf import load_towers  # noqa: E402
from gradus.encoders.hf_text import Padding, TextTower, Tokens, longest_text  # noqa: E402
from gradus.encoders.sentence import SentenceTower  # noqa: E402
from gradus.errors import MissingExtraError, ModelError  # noqa: E402

VALUES = [tiny.TEXTS[0], None, *tiny.TEXTS[1:]]


@given(
    st.lists(st.lists(st.integers(1, 99), max_size=5), min_size=1, max_size=8),
    st.booleans(),
    st.sampled_from([0, 7]),
    st.randoms(use_true_random=False),
)
def test_batches_are_the_sequences_filled_up(sequences, left, length, random):
    tokens = Tokens([np.array(ids, np.int32) for ids in sequences], Padding(0, left, length))
    assert tokens.present.tolist() == [bool(ids) for ids in sequences]
    rows = [row for row, ids in enumerate(sequences) if ids]
    random.shuffle(rows)
    if not rows:
        return
    batch = tokens.batch(np.array(rows), None)
    width = length or max(len(sequences[row]) for row in rows)
    for row, ids, mask in zip(
        rows, batch["input_ids"].tolist(), batch["attention_mask"].tolist(), strict=True
    ):
        own, filling = sequences[row], [0] * (width - len(sequences[row]))
        assert ids == (filling + own if left else own + filling)
        assert mask == [int(token > 0) for token in ids]


def test_the_vector_is_the_mean_of_the_token_vectors(tmp_path):
    model = tiny.save_bert(tmp_path)
    tower = load_towers(str(tmp_path), None)["text"].eval()
    assert type(tower) is TextTower
    assert tower.size == 16
    features = tower.prepare(VALUES, None)
    assert features.present.tolist() == [True, False, True, True, True, True]
    rows = np.array([4, 0, 2, 3])
    with torch.no_grad():
        found = tower(features.batch(rows, None))
        for row, vector in zip(rows, found, strict=True):
            ids = tiny.tokenizer()(VALUES[row], truncation=True, max_length=12)["input_ids"]
            alone = model(torch.tensor([ids])).last_hidden_state[0].mean(dim=0)
            torch.testing.assert_close(vector, alone, atol=1e-5, rtol=0)
    assert not any("pooler" in name for name, _ in tower.named_parameters())


def test_texts_are_cut_where_positions_end(tmp_path):
    from transformers import RobertaConfig, RobertaModel

    bert = tiny.save_bert(tmp_path)
    assert longest_text(bert, tiny.tokenizer()) == 12
    assert longest_text(bert, tiny.tokenizer(model_max_length=9)) == 9
    # RoBERTa's positions begin after the filling's id 1, so two of the twelve are never reached.
    options = tiny.text_options() | {"pad_token_id": 1}
    assert longest_text(RobertaModel(RobertaConfig(**options)), tiny.tokenizer()) == 10


def test_t5_is_read_without_its_decoder(tmp_path):
    from transformers import T5Config, T5Model

    torch.manual_seed(0)
    config = T5Config(vocab_size=20, d_model=16, d_kv=8, d_ff=16, num_layers=2, num_heads=2)
    model = T5Model(config).eval()
    model.save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    tower = load_towers(str(tmp_path), None)["text"].eval()
    with torch.no_grad():
        batch = tower.prepare(tiny.TEXTS, None).batch(np.array([0]), None)
        expected = model.encoder(batch["input_ids"]).last_hidden_state.mean(dim=1)
        torch.testing.assert_close(tower(batch), expected, atol=1e-5, rtol=0)
    assert not any("decoder" in name for name, _ in tower.named_parameters())


@pytest.fixture(scope="module")
def sentence(tmp_path_factory):
    pytest.importorskip("sentence_transformers", reason="needs the hf extra")
    folder = tmp_path_factory.mktemp("sentence")
    prompts = {"prompts": {"search": "long "}, "default_prompt_name": "search"}
    return tiny.save_sentence(folder, **prompts), folder / "sentence"


def test_sentence_models_answer_as_the_library_does(sentence, tmp_path):
    model, folder = sentence
    tower = load_towers(str(folder), None)["text"].eval()
    assert isinstance(tower, SentenceTower)
    assert (tower.size, tower.length, tower.prompt) == (6, 10, "long ")
    with torch.no_grad():
        found = tower(tower.prepare(tiny.TEXTS, None).batch(np.arange(5), None))
    torch.testing.assert_close(found, model.encode(tiny.TEXTS, convert_to_tensor=True), atol=1e-5, rtol=0)
    config = tower.save(tmp_path)
    again = SentenceTower.load(tmp_path, config).eval()
    again.load_state_dict(tower.state_dict())
    with torch.no_grad():
        assert torch.equal(again(again.prepare(tiny.TEXTS, None).batch(np.arange(5), None)), found)


def _rewritten(folder, tmp_path, file, change):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    content = json.loads((copy / file).read_text())
    change(content)
    (copy / file).write_text(json.dumps(content))
    return str(copy)


def test_sentence_models_with_modules_of_their_own_are_refused(sentence, tmp_path):
    name = _rewritten(sentence[1], tmp_path, "modules.json", lambda parts: parts[1].update(type="own.Evil"))
    with pytest.raises(ModelError, match="Transformer, Evil, Dense, Normalize"):
        load_towers(name, None)


def test_activations_outside_torch_are_refused(sentence, tmp_path):
    def change(config):
        config["activation_function"] = "os.system"

    with pytest.raises(ModelError, match=r"activation 'os\.system'"):
        load_towers(_rewritten(sentence[1], tmp_path, "2_Dense/config.json", change), None)


def test_a_pickled_module_is_refused(sentence, tmp_path):
    name = _rewritten(sentence[1], tmp_path, "modules.json", lambda parts: None)
    (tmp_path / "copy/2_Dense/model.safetensors").rename(tmp_path / "copy/2_Dense/pytorch_model.bin")
    with pytest.raises(ModelError, match=r"no 2_Dense/model\.safetensors"):
        load_towers(name, None)


def test_missing_library_names_the_extra(sentence, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sentence_transformers", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'gradus\[hf\]'"):
        load_towers(str(sentence[1]), None)
