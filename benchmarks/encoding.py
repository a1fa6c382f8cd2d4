"""Bulk encoding beside sentence-transformers: python benchmarks/encoding.py [--documents 400] [--threads 2]

A CLIP of the shape of ViT-B/32 with random weights and a tokenizer made from the texts is saved as a folder, and both
libraries load it. They encode the pictures (1,200 × 850 PNG) and the titles of generated drawings, from files and
strings to vectors of unit length in float32, in turns in this process; each row of the table is the least of
--repeats. `gradus, kept` is a second pass, with decoded pictures in the cache on disk. The script fails unless both
give the same vectors; those of bfloat16 are held to a cosine of .999.

With --catalogue FILE.csv --columns NAMES it is the texts of that file's first rows instead. With one thread, time is
that of the processor, which other jobs on the machine do not change much; else that of the clock.
"""

import argparse
import csv
import itertools
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from gradus.catalog.fields import Field
from gradus.catalog.samples.drawings import write_drawings
from gradus.catalog.table import Table
from gradus.encoders.build import build_encoder
from gradus.encoders.encoder import Encoder
from gradus.settings import EncoderSettings, read_settings
from gradus.workflow.data import load_data

Vectors = NDArray[np.float32]


def save_clip(folder: Path, texts: list[str]) -> None:
    """A random CLIP of ViT-B/32's shape, its tokenizer and its image processor."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import CLIPConfig, CLIPModel, PreTrainedTokenizerFast
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    pieces = Tokenizer(models.BPE())
    pieces.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    pieces.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pieces.decoder = decoders.ByteLevel()
    special = ["<|startoftext|>", "<|endoftext|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    pieces.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=4000, special_tokens=special, initial_alphabet=alphabet)
    )
    pieces.post_processor = processors.TemplateProcessing(
        single=f"{special[0]} $A {special[1]}",
        special_tokens=[(token, at) for at, token in enumerate(special)],
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=pieces,
        bos_token=special[0],
        eos_token=special[1],
        pad_token=special[1],
        model_max_length=77,
    )
    torch.manual_seed(0)
    text = {"vocab_size": 49408, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    model = CLIPModel(CLIPConfig(text_config=text, vision_config={"patch_size": 32}, projection_dim=512))
    for part in (model, tokenizer, CLIPImageProcessorPil()):
        part.save_pretrained(folder)


def ours(folder: Path, field: Field) -> Encoder:
    """Gradus's encoder of the folder, for one field."""
    settings = EncoderSettings(text=str(folder), image=str(folder), residual=0.0)
    return build_encoder(settings, {"query": (field,), "document": (field,)}, [])


def main() -> None:
    """Encode, check, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=400)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--catalogue", type=Path)
    parser.add_argument("--columns", nargs="+", default=["title"])
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    clock = time.process_time if args.threads == 1 else time.perf_counter
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if args.catalogue is None:
            write_drawings(folder / "shop", args.documents)
            columns = load_data(read_settings(folder / "shop")).documents.columns
            fields = [Field("image", "image"), Field("title_en", "text")]
        else:
            with args.catalogue.open(encoding="utf-8", newline="") as file:
                rows = list(itertools.islice(csv.DictReader(file), args.documents))
            columns = {column: [row[column] for row in rows] for column in args.columns}
            fields = [Field(column, "text") for column in args.columns]
        measure(folder, fields, columns, args.repeats, clock)


def measure(
    folder: Path,
    fields: Sequence[Field],
    columns: Mapping[str, Sequence[Any]],
    repeats: int,
    clock: Callable[[], float],
) -> None:
    """Print the table."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Transformer

    clip = folder / "clip"
    save_clip(clip, [text for field in fields if field.type == "text" for text in columns[field.name]])
    theirs = SentenceTransformer(modules=[Transformer(str(clip))], device="cpu")
    print("| what | way | documents/s | against sentence-transformers |\n|---|---|---|---|")
    for field in fields:
        column, kind = field.name, field.type
        values, count = columns[column], len(columns[column])
        table = Table([str(row) for row in range(count)], (field,), {column: values})
        encoder = ours(clip, field)
        # Pictures are opened here and decoded there.
        inputs = partial(map, Image.open if kind == "image" else str, values)
        fresh = itertools.count()

        def embed(cache: Path | None, precision: torch.dtype | None = None) -> Vectors:
            with torch.autocast("cpu", precision, enabled=precision is not None):
                return encoder.embed("document", encoder.prepare("document", table, cache))  # noqa: B023

        embed(folder / "kept")
        ways: dict[str, Callable[[], Any]] = {
            "sentence-transformers": lambda: theirs.encode(list(inputs()), normalize_embeddings=True),  # noqa: B023
            "gradus": lambda: embed(folder / f"cache-{next(fresh)}"),  # noqa: B023
            "gradus, kept": lambda: embed(folder / "kept"),
            "gradus, bfloat16": lambda: embed(folder / "kept", torch.bfloat16),
        }
        best = dict.fromkeys(ways, float("inf"))
        found = {}
        for _ in range(repeats):
            for name, way in ways.items():
                started = clock()
                found[name] = np.asarray(way())
                best[name] = min(best[name], clock() - started)
        for name, seconds in best.items():
            cosine = float((found[name] * found["sentence-transformers"]).sum(1).min())
            least = 0.999 if name.endswith("bfloat16") else 0.99999
            if cosine < least:
                raise SystemExit(f"{column}, {name}: cosine {cosine:.6f}")
            ratio = best["sentence-transformers"] / seconds
            print(f"| {column} | {name} | {count / seconds:.1f} | {ratio:.2f} × |", flush=True)


if __name__ == "__main__":
    main()
