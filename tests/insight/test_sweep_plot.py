"""The plot of a sweep names what it shows, and is the same each time."""

from pathlib import Path

from gradus.insight.sweep_plot import Combination, plot_sweep

FIRST: dict[Combination, float] = {
    ("many-to-many", "linear", 0.03, ""): 0.6,
    ("listwise", "linear", 0.07, "training.ema 0.9\nencoder.prior 2"): 0.55,
    ("many-to-many", "constant", 0.07, ""): 0.5,
    ("info-nce", "linear", 0.07, ""): 0.4,
}
WINNER = ("listwise", "linear", 0.07, "training.ema 0.9\nencoder.prior 2")
ROUNDS = [(0.5, FIRST), (1.5, {WINNER: 0.66, ("many-to-many", "linear", 0.03, ""): 0.65})]


def test_an_svg_holds_every_row_and_is_reproducible(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        plot_sweep(tmp_path / name, "nDCG@10", ROUNDS, WINNER)
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    # Matplotlib draws letters as shapes and leaves each text as a comment.
    rows = (
        "many-to-many, constant",
        "info-nce, linear",
        "listwise, linear",
        "training.ema 0.9",
        "encoder.prior 2",
    )
    for words in (*rows, "linear, τ 0.07", "0.5", "1.5", "nDCG@10"):
        assert f"<!-- {words} -->" in text
    # Once in its row, once where the winner's course ends.
    assert text.count("<!-- training.ema 0.9 -->") == 2
    assert (tmp_path / "b.svg").read_text(encoding="utf-8") == text


def test_one_candidate_in_one_round_can_be_drawn(tmp_path: Path) -> None:
    plot_sweep(tmp_path / "one.png", "nDCG@10", [(2.0, {WINNER: 0.5})], WINNER)
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")
