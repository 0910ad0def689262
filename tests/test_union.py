"""Families are the union of clusters and templates."""

import numpy as np

from promptscan.union import unite


def united(clusters: list[int], templates: list[int], smallest: int = 2) -> tuple[list[int], list[bool]]:
    labels, with_template = unite(np.array(clusters, np.int64), np.array(templates, np.int64), smallest)
    return labels.tolist(), with_template.tolist()


def test_nothing_makes_no_family():
    assert united([], []) == ([], [])
    assert united([-1, -1], [-1, -1]) == ([-1, -1], [])


def test_a_cluster_and_a_template_alone_are_families():
    assert united([0, 0, -1, -1], [-1, -1, 0, 0]) == ([0, 0, 1, 1], [False, True])


def test_a_template_draws_in_the_noise_it_explains():
    assert united([0, 0, -1, -1, -1], [0, 0, 0, 0, -1]) == ([0, 0, 0, 0, -1], [True])


def test_a_cluster_joins_two_templates_that_lie_in_it():
    labels, _ = united([0] * 8, [0, 0, 0, 0, 1, 1, 1, 1])
    assert labels == [0] * 8


def test_a_template_joins_the_clusters_its_slots_pulled_apart():
    labels, _ = united([0, 0, 1, 1, -1, -1], [0] * 6)
    assert labels == [0] * 6


def test_a_small_overlap_joins_nothing():
    clusters = [0] * 10 + [-1] * 9
    templates = [-1] * 9 + [0] * 10
    labels, _ = united(clusters, templates)
    assert labels == [0] * 9 + [1] * 10


def test_unions_below_the_smallest_size_are_noise():
    assert united([0, 0, -1, -1], [-1, -1, 0, 0], smallest=3) == ([-1] * 4, [])


def test_families_are_numbered_by_their_smallest_text_in_any_order_of_labels():
    assert united([5, 5, 2, 2], [-1] * 4)[0] == [0, 0, 1, 1]
