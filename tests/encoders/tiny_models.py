"""Tiny random Hugging Face checkpoints, made on the spot, and pictures to show them."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

WORDS = ["red", "blue", "bolt", "nut", "washer", "steel", "brass", "m8", "m10", "hex", "flange"]
WORDS += ["long", "short", "thread", "plain", "coarse"]
TEXTS = ["red hex bolt m8", "nut", "a brass flange washer m10 plain", "short steel thread " * 20, "Blue"]
TEXT_LAYERS = VISION_LAYERS = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_attention_heads": 2,
    "num_hidden_layers": 3,
}


def tokenizer(**options: Any) -> Any:
    """A word tokenizer: [CLS] words [SEP], ids in the order [PAD] [UNK] [CLS] [SEP] words."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: index for index, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))  # noqa: S106
    words.normalizer = normalizers.NFKC()
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=words, **{**special, **options})


def text_options(**more: Any) -> dict[str, Any]:
    special = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
    return {**TEXT_LAYERS, **special, "vocab_size": 20, "max_position_embeddings": 12, **more}


def save_clip(folder: Path) -> Any:
    """CLIP: text and image of hidden size 16, features of size 8, pictures of 32 × 32."""
    from transformers import CLIPConfig, CLIPModel
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    torch.manual_seed(1)
    vision = {**VISION_LAYERS, "image_size": 32, "patch_size": 8}
    model = CLIPModel(CLIPConfig(text_config=text_options(), vision_config=vision, projection_dim=8))
    size = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    return _saved(folder, model, tokenizer(), CLIPImageProcessorPil(**size))


def save_siglip(folder: Path) -> Any:
    """SigLIP with its fixed size, 32 × 32, and its own tokenizer, a SentencePiece model of 36 pieces."""
    import sentencepiece
    from transformers import SiglipConfig, SiglipModel, SiglipTokenizer
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    torch.manual_seed(2)
    vision = {**VISION_LAYERS, "image_size": 32, "patch_size": 8}
    text = text_options(vocab_size=36, bos_token_id=0, pad_token_id=1, eos_token_id=1)
    model = SiglipModel(SiglipConfig(text_config=text, vision_config=vision))
    pieces = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(WORDS), model_writer=pieces, vocab_size=36, bos_id=0, eos_id=1, unk_id=2
    )
    (folder / "spiece.model").write_bytes(pieces.getvalue())
    tokenizer = SiglipTokenizer(str(folder / "spiece.model"), model_max_length=12)
    return _saved(folder, model, tokenizer, SiglipImageProcessorPil(size={"height": 32, "width": 32}))


def save_siglip2(folder: Path) -> Any:
    """SigLIP2 NaFlex: at most 16 patches of 4 × 4, in the picture's own proportions."""
    from transformers import Siglip2Config, Siglip2Model
    from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil

    torch.manual_seed(3)
    vision = {**VISION_LAYERS, "num_patches": 16, "patch_size": 4}
    model = Siglip2Model(Siglip2Config(text_config=text_options(), vision_config=vision))
    return _saved(folder, model, tokenizer(), Siglip2ImageProcessorPil(patch_size=4, max_num_patches=16))


def save_bert(folder: Path, **options: Any) -> Any:
    from transformers import BertConfig, BertModel

    torch.manual_seed(4)
    return _saved(folder, BertModel(BertConfig(**text_options(**options))), tokenizer())


def save_vit(folder: Path, pooler: bool = True) -> Any:
    from transformers import ViTConfig, ViTModel
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    torch.manual_seed(5)
    config = ViTConfig(**VISION_LAYERS, image_size=32, patch_size=8)
    model = ViTModel(config, add_pooling_layer=pooler)
    return _saved(folder, model, ViTImageProcessorPil(size={"height": 32, "width": 32}))


def save_convnext(folder: Path) -> Any:
    from transformers import ConvNextConfig, ConvNextModel
    from transformers.models.convnext.image_processing_pil_convnext import ConvNextImageProcessorPil

    torch.manual_seed(6)
    config = ConvNextConfig(hidden_sizes=[4, 6, 8, 10], depths=[1, 1, 1, 1], image_size=32)
    return _saved(folder, ConvNextModel(config), ConvNextImageProcessorPil(size={"shortest_edge": 32}))


def save_sentence(folder: Path, **options: Any) -> Any:
    """Transformer, mean and CLS pooling, a projection to 6, unit length; returns the SentenceTransformer."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules

    save_bert(folder / "bert")
    torch.manual_seed(7)
    parts = [
        modules.Transformer(str(folder / "bert"), max_seq_length=10),
        modules.Pooling(16, pooling_mode=("cls", "mean")),
        modules.Dense(32, 6, activation_function=torch.nn.GELU()),
        modules.Normalize(),
    ]
    model = SentenceTransformer(modules=parts, device="cpu", **options)
    model.save(str(folder / "sentence"), create_model_card=False)
    return model.eval()


def save_late_interaction(folder: Path) -> Any:
    """A projection of each token to 6, without the nuts of documents, unit length; returns the MultiVectorEncoder."""
    from sentence_transformers import MultiVectorEncoder
    from sentence_transformers.base import modules
    from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask

    save_bert(folder / "bert")
    torch.manual_seed(8)
    projected = {"bias": False, "activation_function": torch.nn.Identity()}
    parts = [
        modules.Transformer(str(folder / "bert"), max_seq_length=10),
        modules.Dense(16, 6, module_input_name="token_embeddings", **projected),
        MultiVectorMask(skiplist_words=["nut"]),
        modules.Normalize(module_input_name="token_embeddings"),
    ]
    prompts = {"query": "short ", "document": "plain "}
    model = MultiVectorEncoder(modules=parts, device="cpu", prompts=prompts)
    model.save_pretrained(str(folder / "late"), create_model_card=False)
    return model.eval()


def _saved(folder: Path, model: Any, *others: Any) -> Any:
    # Away from their initial values, at which biases are zero and different wirings give the same output.
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    for part in (model, *others):
        part.save_pretrained(folder)
    return model.eval()


def picture(width: int, height: int, seed: int) -> Image.Image:
    """A smooth random picture."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (5, 7, 3), dtype=np.uint8))
    return coarse.resize((width, height), Image.Resampling.BICUBIC)


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


PICTURES = [picture(61, 40, 0), picture(30, 90, 1), picture(32, 32, 2), picture(400, 300, 3)]
