"""The weights of the score are fitted to what right frames have that others lack."""

import numpy as np
from index_fixtures import Library

from framesearch.index.bundle import open_bundle
from framesearch.index.score import WEIGHTS
from training.retrieval.fit_score_weights import NAMES, Choice, across_films, choices_of, fit, right_first

TRUE = np.array([4.0, 2.0, 0.0, 1.0, 0.0, 3.0])


def drawn(count: int, seed: int) -> list[Choice]:
    """Queries whose right candidate is chosen as the true weights would have it."""
    rng = np.random.default_rng(seed)
    choices = []
    for number in range(count):
        terms = rng.exponential(1.0, (30, len(NAMES)))
        best = int(np.argmax(terms @ TRUE + rng.gumbel(size=30)))
        choices.append(Choice(number % 10, terms, np.arange(30) == best))
    return choices


def test_weights_are_found_again() -> None:
    found = fit(drawn(800, seed=0))
    assert (found >= 0).all()
    np.testing.assert_allclose(found, TRUE, atol=0.7)


def test_fitted_weights_choose_better_than_others_on_other_queries() -> None:
    fitted, held_out = fit(drawn(400, seed=1)), drawn(400, seed=2)
    assert right_first(held_out, fitted) > right_first(held_out, np.ones(len(NAMES))) + 0.03
    assert abs(across_films(drawn(400, seed=1)) - right_first(held_out, fitted)) < 0.1


def test_one_film_says_nothing_of_others() -> None:
    one = [Choice(0, choice.terms, choice.right) for choice in drawn(20, seed=3)]
    assert np.isnan(across_films(one))


def test_queries_are_probe_frames_with_a_right_candidate_each(library: Library) -> None:
    bundle = open_bundle(library.storage, library.publish().index_id, threads=1)
    choices = choices_of(bundle, library.storage, 30)
    assert 15 <= len(choices) <= 30
    for choice in choices:
        assert choice.terms.shape == (len(choice.right), len(NAMES)) and choice.right.any()
        assert np.isfinite(choice.terms).all()
    now = np.array([WEIGHTS.terms[name] for name in NAMES])
    assert right_first(choices, now) > 0.5
    again = choices_of(bundle, library.storage, 30)
    assert all((one.terms == other.terms).all() for one, other in zip(choices, again, strict=True))
