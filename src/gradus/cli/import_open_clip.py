"""`gradus import-open-clip`."""

from pathlib import Path
from typing import Annotated

import typer

from gradus.cli.console import print_text


def import_open_clip(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", help="State dict of open_clip: .pt, .bin or .safetensors.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Hugging Face folder to write.")],
    tokenizer: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Hugging Face folder with the tokenizer that the model was trained with; the checkpoint's own "
            "folder by default.",
        ),
    ] = None,
    activation: Annotated[
        str, typer.Option(metavar="", help="gelu, as open_clip trains; quick_gelu for OpenAI's own models.")
    ] = "gelu",
    vision_heads: Annotated[
        int,
        typer.Option(metavar="", min=0, help="Heads of the image tower; 0 takes one per 64 of its width."),
    ] = 0,
) -> None:
    """Turn an open_clip checkpoint, GCL's for example, into a CLIP folder for encoder.text and encoder.image."""
    from gradus.encoders.open_clip import convert_open_clip

    convert_open_clip(checkpoint, out, tokenizer, activation, vision_heads)
    print_text(
        f"{out} written",
        "Next, in gradus.toml:",
        "[encoder]",
        f'text = "{out}"',
        f'image = "{out}"',
    )
