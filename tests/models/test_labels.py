"""Label words the model cannot tell apart are named, with what to do."""

import pytest

from xllm_widgets.errors import LabelError
from xllm_widgets.models.labels import check_labels
from xllm_widgets.models.language_model import LanguageModel


def test_labels_that_begin_differently_pass(lm: LanguageModel) -> None:
    check_labels(lm, "Sentiment:", [" positive", " negative", " 世"])


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([" yes"], "at least two"),
        ([" yes", " "], "empty"),
        ([" yes", ""], "empty"),
        ([" yes", " no", " yes"], "'yes' is given twice"),
        ([" positive", " positively"], "'positive' and 'positively' begin with the same token ' positive'"),
        ([" 海", " 湖"], "same token"),
    ],
)
def test_labels_that_cannot_be_told_apart(lm: LanguageModel, labels: list[str], words: str) -> None:
    with pytest.raises(LabelError, match=words) as caught:
        check_labels(lm, "Sentiment:", labels)
    assert "\n" not in str(caught.value)
