"""The exercises of notebook 03, representation engineering."""

import random

from xllm_widgets.classroom.exercises import Exercise, Mistake

# --- a direction --------------------------------------------------------------------------------------------------


def mass_mean(X, y):
    true = [x for x, label in zip(X, y, strict=True) if label]
    false = [x for x, label in zip(X, y, strict=True) if not label]
    columns = zip(zip(*true, strict=True), zip(*false, strict=True), strict=True)
    return [sum(a) / len(a) - sum(b) / len(b) for a, b in columns]


def mean_of_the_true(X, y):
    true = [x for x, label in zip(X, y, strict=True) if label]
    return [sum(column) / len(column) for column in zip(*true, strict=True)]


def difference_of_sums(X, y):
    signs = [1 if label else -1 for label in y]
    return [sum(s * v for s, v in zip(signs, column, strict=True)) for column in zip(*X, strict=True)]


def false_minus_true(X, y):
    return [-value for value in mass_mean(X, y)]


def true_minus_everything(X, y):
    middle = [sum(column) / len(column) for column in zip(*X, strict=True)]
    return [a - b for a, b in zip(mean_of_the_true(X, y), middle, strict=True)]


def mass_mean_by_arrays(X, y):
    import numpy as np

    X, y = np.array(X), np.array(y, dtype=bool)
    return X[y].mean(axis=0) - X[~y].mean(axis=0)


def mass_mean_by_weights(X, y):
    positive = sum(y)
    weights = [1 / positive if label else -1 / (len(y) - positive) for label in y]
    return [sum(w * x[k] for w, x in zip(weights, X, strict=True)) for k in range(len(X[0]))]


def mass_mean_by_torch(X, y):
    import torch

    streams, labels = torch.tensor(X, dtype=torch.float64), torch.tensor(y, dtype=torch.bool)
    return streams[labels].mean(0).sub(streams[~labels].mean(0)).tolist()


def some_streams(rng: random.Random) -> tuple[list[list[float]], list[bool]]:
    """More of one class than of the other, and no class without members."""
    y = [True] * rng.randint(1, 3) + [False] * rng.randint(4, 5)
    if rng.random() < 0.5:
        y = [not label for label in y]
    rng.shuffle(y)
    width = rng.randint(2, 4)
    return [[round(rng.uniform(-2, 2), 2) for _ in range(width)] for _ in y], y


MASS_MEAN = Exercise(
    name="03-mass-mean",
    prompt=(
        "`X` holds the stream of each statement (a list of numbers), `y` says whether the statement is true. Write "
        "`mass_mean(X, y)`: the direction from the mean of the false ones to the mean of the true ones."
    ),
    starter="def mass_mean(X, y):\n    ...",
    answer=mass_mean,
    variant=some_streams,
    also_right=(mass_mean_by_arrays, mass_mean_by_weights, mass_mean_by_torch),
    hints=(
        "Two clouds of points, each with a middle. Which arrow leads from one middle to the other?",
        "The clouds need not be of one size. Would twice as many false statements move their middle?",
        "With arrays: `X[y].mean(axis=0)` is one middle, `X[~y].mean(axis=0)` the other.",
    ),
    mistakes=(
        Mistake("what true statements have in common is truth (false ones share most of it)", mean_of_the_true),
        Mistake("sums will do (the larger class then pulls the arrow, whatever it says)", difference_of_sums),
        Mistake("the sign is a matter of taste (a push along it then makes the model lie)", false_minus_true),
        Mistake("the middle of all statements is the middle of the false ones", true_minus_everything),
    ),
    explanation="No fitting, no labels beyond two heaps: that is why it so often carries over where others do not.",
)

# --- a push -------------------------------------------------------------------------------------------------------


def steered(stream, direction, strength):
    import numpy as np

    stream, direction = np.array(stream), np.array(direction)
    norm = np.linalg.norm(stream, axis=1).mean()
    return stream + strength * norm * direction / np.linalg.norm(direction)


def direction_as_it_is(stream, direction, strength):
    import numpy as np

    return np.array(stream) + strength * np.array(direction)


def of_length_one(stream, direction, strength):
    import numpy as np

    return np.array(stream) + strength * np.array(direction) / np.linalg.norm(direction)


def last_token_only(stream, direction, strength):
    import numpy as np

    return np.concatenate([np.array(stream)[:-1], steered(stream, direction, strength)[-1:]])


def put_in_its_place(stream, direction, strength):
    return steered(stream, direction, strength) - stream


def steered_by_torch(stream, direction, strength):
    import torch

    stream, direction = (torch.tensor(values, dtype=torch.float64) for values in (stream, direction))
    return (stream + strength * stream.norm(dim=1).mean() * direction / direction.norm()).tolist()


def steered_by_loops(stream, direction, strength):
    import math

    norms = [math.hypot(*token) for token in stream]
    factor = strength * sum(norms) / len(norms) / math.hypot(*direction)
    return [[x + factor * d for x, d in zip(token, direction, strict=True)] for token in stream]


def steered_by_broadcasting(stream, direction, strength):
    import numpy as np

    lengths = np.sqrt((np.array(stream) ** 2).sum(1))
    unit = np.array(direction) / np.sqrt(np.dot(direction, direction))
    return np.array(stream) + np.outer(np.full(len(stream), strength * lengths.mean()), unit)


def some_push(rng: random.Random) -> tuple[list[list[float]], list[float], float]:
    """Two or three tokens of different norms, a direction that is not of length one, a push either way."""
    width = rng.randint(2, 3)
    tokens = rng.randint(2, 3)
    stream = [[round(rng.uniform(1, 4) * rng.choice((-1, 1)), 1) for _ in range(width)] for _ in range(tokens)]
    direction = [round(rng.uniform(1, 3) * rng.choice((-1, 1)), 1) for _ in range(width)]
    return stream, direction, rng.choice((-1.0, -0.5, 0.5, 2.0))


STEER = Exercise(
    name="03-steer",
    prompt=(
        "`stream` holds one list of numbers for each token. Write `steered(stream, direction, strength)`, which pushes "
        "*every* token along `direction`, `strength` times as far as the stream is long on average over the tokens. "
        "How long `direction` itself is must not matter."
    ),
    starter="def steered(stream, direction, strength):\n    ...",
    answer=steered,
    variant=some_push,
    also_right=(steered_by_torch, steered_by_loops, steered_by_broadcasting),
    hints=(
        "Three numbers multiply a unit vector. Which are they?",
        "Unit vector: the direction divided by its norm. Length of the stream: the mean of the tokens' norms.",
        "Steering adds to what stands in the stream; nothing is taken away.",
    ),
    mistakes=(
        Mistake("a direction brings its own strength (then no two layers and no two models compare)",
                direction_as_it_is),
        Mistake("a push of length one is the same everywhere (the stream is longer in some layers than in others)",
                of_length_one),
        Mistake("the last token is what counts (what is read later is read from all of them)", last_token_only),
        Mistake("steering replaces the stream (then the model no longer knows what it read)", put_in_its_place),
    ),
    explanation="In these units a strength means the same at every layer and on every model.",
)  # fmt: skip

# --- a map --------------------------------------------------------------------------------------------------------


def r_squared(truth, predicted):
    mean = sum(truth) / len(truth)
    error = sum((t - p) ** 2 for t, p in zip(truth, predicted, strict=True))
    return 1 - error / sum((t - mean) ** 2 for t in truth)


def squared_correlation(truth, predicted):
    import numpy as np

    return float(np.corrcoef(truth, predicted)[0, 1] ** 2)


def against_zero(truth, predicted):
    error = sum((t - p) ** 2 for t, p in zip(truth, predicted, strict=True))
    return 1 - error / sum(t**2 for t in truth)


def never_below_zero(truth, predicted):
    return max(0.0, r_squared(truth, predicted))


def spread_kept(truth, predicted):
    import numpy as np

    return float(np.var(predicted) / np.var(truth))


def r_squared_by_arrays(truth, predicted):
    import numpy as np

    return 1 - np.mean((np.array(truth) - predicted) ** 2) / np.var(truth)


def r_squared_by_the_book(truth, predicted):
    from sklearn.metrics import r2_score

    return r2_score(truth, predicted)


def r_squared_by_statistics(truth, predicted):
    from statistics import fmean, pvariance

    return (pvariance(truth) - fmean((a - b) ** 2 for a, b in zip(truth, predicted, strict=True))) / pvariance(truth)


def some_latitudes(rng: random.Random) -> tuple[list[float], list[float]]:
    """Five to eight places far from zero on average, drawn too small or beside the truth; sometimes quite wrong."""
    truth = [round(rng.uniform(20, 60), 1) for _ in range(rng.randint(5, 8))]
    scale, off, noise = rng.uniform(0.3, 1.2), rng.uniform(5, 15), rng.choice((2, 25))
    return truth, [round(40 + off + scale * (t - 40) + rng.uniform(-noise, noise), 1) for t in truth]


R_SQUARED = Exercise(
    name="03-r-squared",
    prompt=(
        "`truth` holds the latitudes of some cities, `predicted` where a probe puts them. Write "
        "`r_squared(truth, predicted)`: 1 for a perfect map, 0 for one no better than *every city lies at the mean of "
        "the true latitudes*, below 0 for a worse one."
    ),
    starter="def r_squared(truth, predicted):\n    ...",
    answer=r_squared,
    variant=some_latitudes,
    also_right=(r_squared_by_arrays, r_squared_by_the_book, r_squared_by_statistics),
    hints=(
        "Compare two sums of squared errors: the map's, and that of somebody who always says the mean.",
        "A map that is twice too small is a bad map, though it correlates perfectly.",
        "1 − (sum of squared errors) / (sum of squared distances of the truth from its mean).",
    ),
    mistakes=(
        Mistake("a correlation will do (it forgives a wrong scale and a wrong place)", squared_correlation),
        Mistake("to know nothing is to say zero (whoever knows nothing of cities still knows where most lie)",
                against_zero),
        Mistake("nothing can be worse than nothing (a map may well be, of places not fitted on)", never_below_zero),
        Mistake("a map as wide as the world is a map of the world", spread_kept),
    ),
    explanation="Measured on cities that the probe was not fitted on, or it says how well it learnt them by heart.",
)  # fmt: skip

# --- without code -------------------------------------------------------------------------------------------------

CONTROL = Exercise(
    name="03-control",
    prompt=(
        "A direction for honesty is added to the stream with a strength of one residual norm, and a lying speaker's "
        "probability of the true ending rises from 5 % to 40 %. Which control tells whether *this direction* did it?"
    ),
    options=(
        "The same push with half the strength.",
        "A push with as long a vector in a random direction.",
        "The same push on a thousand more statements.",
        "No push at all.",
    ),
    answer="b",
    hints=(
        "Whoever is hit hard says something else. Which part of the effect is the blow, which the direction?",
        "Keep the blow, change the direction.",
    ),
    mistakes=(
        Mistake(
            "a dose response shows the cause", "a",
            "a blow from any side also does less harm at half the force: a random direction has a dose response too.",
        ),
        Mistake(
            "more data remove a confound", "c",
            "a thousand statements measure blow and direction together, only more exactly.",
        ),
        Mistake(
            "doing nothing is the null", "d",
            "that is the 5 % you have already; it leaves out all that comes of disturbing the stream at all.",
        ),
    ),
    explanation="A random direction of equal norm disturbs as much and means nothing: what it moves is not honesty.",
)  # fmt: skip

CONFOUND = Exercise(
    name="03-confound",
    prompt=(
        "Look at the left picture of `reading_vectors` in section 4. Already at layer 0, the embeddings, honest and "
        "lying speakers are told apart at the *speaker word*. A student concludes: *the model knows at once who lies.* "
        "What else would look like this?"
    ),
    options=(
        "Nothing else: an accuracy this high needs understanding.",
        "A model with fewer layers.",
        "A probe that was fitted on too few pairs.",
        "A list of words: at this place the two prompts differ in the word for honest or lying itself.",
    ),
    answer="d",
    hints=(
        "What does the stream hold at layer 0, before any block has read anything?",
        "Would somebody do as well who sees this one word, and nothing of the sentence?",
        "In which columns are the words of the two prompts the same?",
    ),
    mistakes=(
        Mistake(
            "accuracy is understanding", "a",
            "a list that knows which words mean honest does as well, and understands no sentence at all.",
        ),
        Mistake("depth decides", "b", "no layer was asked yet: the embeddings are the words themselves, in any model."),
        Mistake(
            "every odd result is a small sample", "c",
            "more pairs give the same picture: the words differ in every one of them.",
        ),
    ),
    explanation="That is why the study reads at least three tokens later, in words that both speakers say.",
)  # fmt: skip

BASELINE = Exercise(
    name="03-baseline",
    prompt=(
        "A probe places held-out cities with R² = 0.90. Somebody who knows only each city's country, and says the mean "
        "of that country's other cities, reaches R² = 0.97. What has been shown?"
    ),
    options=(
        "That the model knows where each city lies within its country.",
        "That the model holds no map at all.",
        "That the model holds at least a map of countries; whether a finer one is open.",
        "That the probe was fitted on too few cities.",
    ),
    answer="c",
    hints=(
        "How much of the distance between any two cities of the world is distance between their countries?",
        "Shuffled coordinates score 0, countries alone 0.97. Between which two lies what was found?",
    ),
    mistakes=(
        Mistake(
            "a high R² means a fine map", "a",
            "nearly all variance of the world's latitudes lies between countries: 0.90 can be had without any city.",
        ),
        Mistake(
            "what does not beat a baseline is nothing", "b",
            "shuffled coordinates score 0 with the same probe: something that knows of places is there.",
        ),
        Mistake(
            "every shortfall is a lack of data", "d",
            "more cities would move both numbers; they would not tell cities from countries.",
        ),
    ),
    explanation="Ask within countries, or hold whole countries out: then the country's mean cannot help.",
)  # fmt: skip

EXERCISES = (MASS_MEAN, STEER, R_SQUARED, CONTROL, CONFOUND, BASELINE)
