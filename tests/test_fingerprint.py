"""Fingerprints and postings: what is guaranteed to be found, and that nothing is lost in large buckets."""

from collections import defaultdict
from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptscan import fingerprint, postings
from promptscan.errors import UsageError
from promptscan.fingerprint import NGRAM, WINDOW, Fingerprints, fingerprints, guarantee
from promptscan.postings import build_postings, candidate_pairs, containment

Around = tuple[str, str, str, str]
Shape = tuple[int, int]
Members = list[set[int]]
LATIN = st.text("abcdefgh0123", max_size=60)
HAN = "\u5317\u4eac\u5927\u5b66\u6771\u4eac\u6728\u6c34\u706b\u571f\u91d1\u65e5\u6708\u5c71\u5ddd"
MIXED = st.text("ab" + HAN + "\u3042\u30bf\u0436\U00020000", max_size=40)
THIRD = -(-guarantee() // 3)
SHAPES = st.sampled_from([(24, 16), (16, 16), (8, 8), (6, 1), (5, 3), (1, 1)])


def of(*keys: str, n: int = NGRAM, w: int = WINDOW, first_text: int = 0) -> Fingerprints:
    return fingerprints(pa.array(keys, pa.large_string()), n=n, w=w, first_text=first_text)


def sets(prints: Fingerprints, texts: int) -> list[set[int]]:
    return [set(prints.hashes[prints.texts == text].tolist()) for text in range(texts)]


def numbers(seed: int, size: int) -> str:
    return "".join(map(chr, np.random.default_rng(seed).integers(97, 123, size)))


@given(st.tuples(LATIN, LATIN, LATIN, LATIN), st.text("abcdefgh0123", min_size=39, max_size=39), SHAPES)
@settings(max_examples=200, deadline=None)
def test_a_shared_passage_is_found_whatever_stands_around_it(around: Around, passage: str, shape: Shape):
    a, b, c, d = around
    n, w = shape
    passage = passage[: guarantee(n, w)]
    one, other = sets(of(a + passage + b, c + passage + d, n=n, w=w), 2)
    assert one & other


@given(st.tuples(MIXED, MIXED, MIXED, MIXED), st.text(HAN, min_size=THIRD, max_size=THIRD))
@settings(max_examples=100, deadline=None)
def test_a_shared_passage_of_a_third_as_many_han_characters_is_found(around: Around, passage: str):
    a, b, c, d = around
    one, other = sets(of(a + passage + b, c + passage + d), 2)
    assert one & other


@given(st.lists(st.one_of(LATIN, MIXED), max_size=6), SHAPES)
@settings(max_examples=200, deadline=None)
def test_texts_are_fingerprinted_alone_as_in_company(keys: list[str], shape: Shape):
    n, w = shape
    together = of(*keys, n=n, w=w, first_text=7)
    alone = [of(key, n=n, w=w) for key in keys]
    np.testing.assert_array_equal(
        together.hashes, np.concatenate([np.zeros(0, np.uint64), *[one.hashes for one in alone]])
    )
    np.testing.assert_array_equal(together.positions, np.concatenate([np.zeros(0), *[one.positions for one in alone]]))
    assert together.texts.tolist() == [7 + i for i, one in enumerate(alone) for _ in one.hashes]
    for i, (one, key) in enumerate(zip(alone, keys, strict=True)):
        assert len(set(one.hashes.tolist())) == len(one.hashes), i
        assert (np.diff(one.positions) >= 0).all()
        assert bool(len(one.hashes)) == bool(key)


@given(st.text("ab", min_size=6, max_size=80))
@settings(max_examples=200, deadline=None)
def test_the_rightmost_least_of_each_window_is_kept(key: str):
    n, w = 6, 4
    got = of(key, n=n, w=w)
    hashed = {key[i : i + n]: int(of(key[i : i + n], n=n, w=1).hashes[0]) for i in range(len(key) - n + 1)}
    grams = [hashed[key[i : i + n]] for i in range(len(key) - n + 1)]
    kept = {
        min(enumerate(grams[i : i + w], i), key=lambda item: (item[1], -item[0]))
        for i in range(max(len(grams) - w + 1, 1))
    }
    assert set(got.hashes.tolist()) == {value for _, value in kept}
    first = {value: min(place for place, other in kept if other == value) for _, value in kept}
    assert dict(zip(got.hashes.tolist(), got.positions.tolist(), strict=True)) == first


def test_short_keys_have_one_fingerprint_of_the_whole():
    prints = of("hello", "hello", "hell", "", "a", "hello0")
    assert prints.texts.tolist() == [0, 1, 2, 4, 5]
    assert prints.hashes[0] == prints.hashes[1]
    assert len(set(prints.hashes.tolist())) == 4


def test_density_stays_below_twelve_in_a_hundred_characters():
    prints = of(*[numbers(seed, 2000) for seed in range(100)])
    assert len(prints.hashes) / 200_000 <= 0.12
    assert prints.hashes.itemsize + 4 + prints.positions.itemsize <= 16


@pytest.mark.parametrize("period", ["a", "ab", numbers(1, 100)])
def test_runs_and_repetitions_cost_no_more_than_their_period(period: str):
    assert len(of(period * (1_000_000 // len(period))).hashes) <= max(2, len(period) // 5)


def test_a_shared_passage_at_a_megabyte_s_end_is_found():
    passage = numbers(2, guarantee())
    one, other = sets(of(numbers(3, 1_000_000) + passage, passage), 2)
    assert one & other


def test_positions_are_characters_of_the_key():
    key = HAN * 3 + numbers(4, 60) + HAN
    prints = of(key)
    assert prints.positions.max() < len(key)
    for gram, position in zip(prints.hashes.tolist(), prints.positions.tolist(), strict=True):
        assert gram in sets(of(key[position : position + 39], w=1), 1)[0]


def test_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch):
    keys = [numbers(seed, seed * 7) for seed in range(60)]
    whole = of(*keys)
    monkeypatch.setattr(fingerprint, "CHUNK", 50)
    parts = of(*keys)
    np.testing.assert_array_equal(parts.hashes, whole.hashes)
    np.testing.assert_array_equal(parts.texts, whole.texts)
    np.testing.assert_array_equal(parts.positions, whole.positions)


@pytest.mark.parametrize(("n", "w"), [(8, 9), (8, 0), (0, 0)])
def test_impossible_shapes_are_refused(n: int, w: int):
    with pytest.raises(UsageError, match="1 <= w <= n"):
        of("a", n=n, w=w)


def test_no_keys_have_no_fingerprints_postings_or_pairs():
    empty = of()
    assert len(empty.hashes) == len(candidate_pairs(empty).a) == 0
    index = build_postings(empty.hashes, empty.texts)
    assert index.indptr.tolist() == [0]
    assert len(containment(of("hello"), index).texts) == 0


def made(members: Members) -> Fingerprints:
    """Fingerprints of texts with the given hashes, spread over the whole range."""
    hashes = [value * 0x9E3779B97F4A7C15 % 2**64 for member in members for value in sorted(member)]
    texts = [text for text, member in enumerate(members) for _ in member]
    return Fingerprints(np.array(hashes, np.uint64), np.array(texts, np.int64), np.zeros(len(texts), np.int32))


families = st.lists(st.sets(st.integers(1, 12), max_size=5), max_size=30)


@given(families)
@settings(max_examples=100, deadline=None)
def test_postings_list_every_text_of_a_hash(members: Members):
    prints = made(members)
    truth = defaultdict(list)
    for value, text in zip(prints.hashes.tolist(), prints.texts.tolist(), strict=True):
        truth[value].append(text)
    index = build_postings(prints.hashes, prints.texts)
    assert index.hashes.tolist() == sorted(truth)
    listed = [index.texts[a:b].tolist() for a, b in zip(index.indptr[:-1], index.indptr[1:], strict=True)]
    assert listed == [truth[value] for value in sorted(truth)]


@given(families, families)
@settings(max_examples=100, deadline=None)
def test_containment_counts_shared_hashes(members: Members, asked: Members):
    prints, query = made(members), made(asked)
    found = containment(query, build_postings(prints.hashes, prints.texts))
    got = dict(zip(zip(found.queries.tolist(), found.texts.tolist(), strict=True), found.share.tolist(), strict=True))
    truth = {
        (q, t): len(one & other) / len(one)
        for q, one in enumerate(asked)
        for t, other in enumerate(members)
        if one & other
    }
    assert got == pytest.approx(truth)
    assert (np.diff(found.queries) >= 0).all()


@given(families, st.integers(2, 5), st.sets(st.integers(1, 12), max_size=3), st.sampled_from([2, 1 << 22]))
@settings(max_examples=200, deadline=None)
def test_candidate_pairs_hold_what_they_promise(members: Members, max_bucket: int, ignored: set[int], piece: int):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postings, "PIECE", piece)
        ignore = made([ignored]).hashes
        pairs = candidate_pairs(made(members), max_bucket=max_bucket, ignore=ignore)
    got = dict(zip(zip(pairs.a.tolist(), pairs.b.tolist(), strict=True), pairs.shared.tolist(), strict=True))
    assert list(got) == sorted(got)
    members = [member - ignored for member in members]
    assert all(a < b and 1 <= shared <= len(members[a] & members[b]) for (a, b), shared in got.items())
    for value in set().union(*members):
        bucket = [text for text, member in enumerate(members) if value in member]
        if len(bucket) <= max_bucket:
            assert all(pair in got for pair in combinations(bucket, 2))
        else:
            assert all((bucket[0], other) in got for other in bucket[1:])


def test_near_copies_are_paired_even_where_every_bucket_is_large():
    crowd = [[text, 500] for text in range(20)] + [[100 + text, 600] for text in range(20)]
    members = [*crowd, [500, 600], [500, 600, 700]]
    hashes = np.array([value for member in members for value in member], np.uint64)
    texts = np.repeat(np.arange(len(members)), [len(member) for member in members])
    pairs = candidate_pairs(Fingerprints(hashes, texts, np.zeros(0, np.int32)), max_bucket=4)
    got = dict(zip(zip(pairs.a.tolist(), pairs.b.tolist(), strict=True), pairs.shared.tolist(), strict=True))
    assert got[40, 41] == 2
    assert got[0, 40] == got[20, 41] == 1
    assert len(got) == 2 * 21 + 1


def test_a_family_of_100_000_copies_comes_out_whole_and_linear():
    size, each = 100_000, 20
    hashes = np.tile(np.random.default_rng(0).integers(0, 2**63, each, dtype=np.uint64), size)
    pairs = candidate_pairs(Fingerprints(hashes, np.repeat(np.arange(size), each), np.zeros(0, np.int32)))
    assert len(pairs.a) == size - 1
    assert (pairs.a == 0).all()
    assert (pairs.shared == each).all()


def test_unordered_texts_and_a_bucket_of_one_are_refused():
    with pytest.raises(UsageError, match="ascend"):
        build_postings(np.zeros(2, np.uint64), np.array([1, 0]))
    with pytest.raises(UsageError, match="max_bucket"):
        candidate_pairs(of("a"), max_bucket=1)
