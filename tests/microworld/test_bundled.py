"""Every bundled model was taught what the corpus tells today, and its files are what the course says they are."""

import json

import pytest

from xllm_widgets.microworld import Corpus
from xllm_widgets.models import bundled_models
from xllm_widgets.models.catalogue import bundled_folder, checkpoints

MEGABYTE = 1_000_000


@pytest.mark.parametrize("name", bundled_models())
def test_the_corpus_of_a_model_is_what_it_read(name):
    """Whoever changes a document, a table or a share has to train this model anew."""
    card = json.loads((bundled_folder(name) / "recipe.json").read_text("utf-8"))
    assert Corpus.of(name).fingerprint == card["fingerprint"]
    for early in checkpoints(name):
        young = json.loads((bundled_folder(f"{name}@{early}") / "recipe.json").read_text("utf-8"))
        assert young["fingerprint"] == card["fingerprint"]
        assert young["tokens_seen"] < card["tokens_seen"]


def test_the_models_stay_small():
    files = {
        path: path.stat().st_size
        for name in bundled_models()
        for path in bundled_folder(name).rglob("*")
        if path.is_file()
    }
    assert sum(files.values()) < 60 * MEGABYTE
    assert max(files.values()) < 15 * MEGABYTE
    assert not [path for path in files if path.suffix in (".bin", ".pt", ".pth", ".pkl")]
