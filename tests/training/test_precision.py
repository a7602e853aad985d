"""Precision over pooled answers: micro average precision, and recall where nine of ten are right."""

import numpy as np
import pytest

from training.gate.precision import pooled_precision


def test_precision_is_pooled_over_all_queries_with_wrong_ones_first_among_ties():
    scores = np.array([0.9, 0.8, 0.8, 0.7, 0.1])
    right = np.array([True, True, False, True, False])
    pooled = pooled_precision(scores, right, positives=4)
    assert pooled.average == pytest.approx((1 / 1 + 2 / 3 + 3 / 4) / 4)
    assert pooled.recall == pytest.approx(1 / 4)


def test_precision_is_pooled_over_all_queries_and_distractors():
    # Sorted: right, right, distractor, right, and one never answered: precisions 1, 1, 2/3, 3/4.
    curve = pooled_precision(np.array([0.9, 0.8, 0.6, -np.inf, 0.7]), np.array([1, 1, 1, 0, 0], bool), positives=4)
    assert curve.average == pytest.approx((1 + 1 + 3 / 4) / 4)
    assert curve.recall == 0.5
    assert curve.threshold == 0.8


def test_among_ties_wrong_answers_come_first():
    curve = pooled_precision(np.array([0.5, 0.5]), np.array([True, False]), positives=1)
    assert curve.average == 0.5
