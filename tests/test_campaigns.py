"""campaigns: which families belong together, who takes part, and why."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import hypergeom, poisson
from worlds import DAY_ZERO, HOUR, World, find, members, numbers, reasons_of, score_of, shuffled

from promptscan.campaigns import (
    CampaignNames,
    Campaigns,
    Traffic,
    Verdict,
    campaign_tables,
    name_campaigns,
    still_merged,
    with_verdicts,
)
from promptscan.campaigns.membership import traffic_weights
from promptscan.campaigns.surprise import count_log_tail, overlap_log_tail
from promptscan.store.tables import TABLES


@pytest.fixture(scope="module")
def world() -> World:
    """Two operations with everything, a crowd, a relay that carries both, and a provider that everybody uses."""
    made = World()
    rng = np.random.default_rng(7)
    crowd = made.crowd(3000)
    alpha = made.operation("alpha", accounts=60, templates=5, prompts=8, seed=1)
    beta = made.operation("beta", accounts=40, templates=3, prompts=10, cover=1.0, seed=2)
    made.own(alpha, "payment_id", [f"pay-a{number}" for number in range(6)])
    made.own(beta, "payment_id", [f"pay-b{number}" for number in range(4)])
    made.own(crowd, "payment_id", [f"pay-{number}" for number in range(2500)])
    made.own(crowd[:600] + alpha + beta, "asn", ["AS1"])
    made.own(crowd[600:], "asn", [f"AS{number}" for number in range(2, 200)])
    made.own(made.accounts(), "plan", ["free"])
    hours = rng.integers(0, 24 * 300, 3000).tolist()
    made.created = {account: DAY_ZERO + hour * HOUR for account, hour in zip(crowd, hours, strict=True)}
    minute = np.timedelta64(1, "m")
    made.created |= {account: DAY_ZERO + 5000 * HOUR + place * minute for place, account in enumerate(alpha)}
    for family in (*[f"alpha/{number}" for number in range(5)], *[f"beta/{number}" for number in range(3)]):
        made.sent[family, "relay"] += 12
    made.other["relay"] += 400
    for place, person in enumerate(crowd[:20]):  # they paste one text of an operation amid diverse traffic
        made.sent[f"alpha/{place % 5}", person] += 1
        made.other[person] += 15
    return made


@pytest.fixture(scope="module")
def campaigns(world: World) -> Campaigns:
    return world.find()


def test_operations_that_share_a_relay_and_a_provider_stay_apart(campaigns: Campaigns):
    assert len(campaigns) == 2
    families = dict(zip(campaigns.family_ids, campaigns.family_campaign.tolist(), strict=True))
    assert families == {f"alpha/{n}": 0 for n in range(5)} | {f"beta/{n}": 1 for n in range(3)}


def test_all_accounts_of_an_operation_are_members_and_nobody_else(campaigns: Campaigns):
    assert members(campaigns, 0) == {f"alpha-{n:05}" for n in range(60)} | {"relay"}
    assert members(campaigns, 1) == {f"beta-{n:05}" for n in range(40)} | {"relay"}


def test_members_are_surest_first_with_scores_of_at_least_a_half(campaigns: Campaigns):
    for campaign in range(len(campaigns)):
        scores = campaigns.account_score[campaigns.account_campaign == campaign]
        assert (np.diff(scores) <= 0).all()
        assert scores.min() >= 0.5
        assert scores.max() <= 1


def test_reasons_are_sentences_with_numbers(campaigns: Campaigns):
    said = reasons_of(campaigns, "alpha-00000")
    assert any("of its" in line and "prompts are in alpha/" in line and line.endswith(" and 1 more") for line in said), said
    assert "shares payment_id pay-a0 with 9 members; nobody else has it" in said
    assert any(line.startswith("takes part in") and line.endswith("of 5 families") for line in said)
    assert any(line.startswith("signed up within 30 minutes of ") and line.endswith(" members") for line in said)


def test_a_relay_is_said_to_be_one(campaigns: Campaigns):
    assert "relay: 12% of its traffic (60 of 496 prompts) is in alpha/0, alpha/1, alpha/2 and 2 more" in reasons_of(
        campaigns, "relay"
    )


def test_shared_entities_come_rarest_first_without_the_constant(campaigns: Campaigns):
    shared = campaigns.entities
    rows = list(zip(shared.campaign, shared.kinds, shared.values, shared.n_accounts, shared.n_others, strict=True))
    payments = [(0, "payment_id", f"pay-a{n}", 10, 0) for n in range(6)]
    assert rows[:7] == [*payments, (0, "asn", "AS1", 60, 640)]
    assert [row[2] for row in rows[7:]] == [f"pay-b{n}" for n in range(4)] + ["AS1"]
    assert shared.weight[0] == pytest.approx(np.log10(3101 / 10))
    assert shared.weight[6] == pytest.approx(np.log10(3101 / 700))


@pytest.mark.parametrize("seed", range(3))
def test_order_of_the_input_does_not_matter(world: World, campaigns: Campaigns, seed: int):
    assert same(find(shuffled(world.traffic(), seed), world.passed), campaigns)


def test_five_templates_over_a_hundred_accounts_are_one_campaign():
    world = World()
    world.crowd(500)
    operation = world.operation("op", accounts=100, templates=5, prompts=6, cover=0.5)
    found = world.find()
    assert len(found) == 1
    assert set(found.family_ids) == {f"op/{n}" for n in range(5)}
    assert members(found) == set(operation)


def test_templates_that_share_few_of_their_accounts_are_one_campaign():
    world = World()
    world.crowd(8000, popular=0)
    operation = world.operation("op", accounts=1500, templates=40, prompts=6)
    found = world.find()
    assert len(found) == 1
    assert len(found.family_ids) == 40
    assert members(found) == set(operation)


def thin() -> World:
    """Let sixteen accounts send three prompts each from twenty templates: two families share an account or none."""
    world = World()
    world.crowd(2000)
    world.operation("op", accounts=16, templates=20, prompts=3, cover=0.1, seed=4)
    return world


def test_families_that_passed_as_one_are_one_campaign_though_each_shares_few_accounts():
    world = thin()
    assert len(world.find()) == 3
    found = world.find(dict.fromkeys(world.passed, 0))
    assert len(found) == 1
    assert members(found) == {f"op-{number:05}" for number in range(16)}


def test_groups_of_families_without_accounts_in_common_are_cut_again():
    world = World()
    world.crowd(2000)
    for name in "ab":
        world.operation(name, accounts=30, templates=3, prompts=5, seed=ord(name))
    assert len(world.find(dict.fromkeys(world.passed, 0))) == 2


def test_operations_in_large_numbers_stay_apart():
    world = World()
    world.crowd(2000)
    for number in range(12):
        world.operation(f"op{number}", accounts=30, templates=3, prompts=5, seed=number)
    found = world.find()
    assert len(found) == 12
    assert all(len({name.split("/")[0] for name, at in pairs(found) if at == c}) == 1 for c in range(12))


def test_a_family_that_catches_prompts_of_two_operations_does_not_join_them():
    world = World()
    world.crowd(3000)
    world.operation("alpha", accounts=80, templates=20, prompts=25, seed=1)
    world.operation("beta", accounts=80, templates=10, prompts=12, seed=2)
    for number in range(0, 80, 3):
        world.sent["beta/0", f"alpha-{number:05}"] += 1
    found = world.find()
    assert len(found) == 2
    assert {at for name, at in pairs(found) if name.startswith("beta")} != {
        at for name, at in pairs(found) if name.startswith("alpha")
    }


def test_a_wording_that_two_operations_and_a_crowd_send_does_not_join_them():
    world = World()
    crowd = world.crowd(3000)
    alpha = world.operation("alpha", accounts=60, templates=5, prompts=8, seed=1)
    beta = world.operation("beta", accounts=40, templates=3, prompts=10, seed=2)
    for account in (*crowd[:110], *alpha[:36], *beta[:16]):
        world.sent["code", account] += 3
    for person in crowd[:110]:
        world.other[person] += 15
    world.passed["code"] = 5.0
    found = world.find()
    assert len(found) == 2
    assert {at for name, at in pairs(found) if name.startswith("beta")} == {1}
    assert {at for name, at in pairs(found) if name.startswith("alpha")} == {0}
    assert dict(pairs(found))["code"] == 0  # most of its members are there
    assert members(found, 1) == set(beta)
    assert set(alpha) <= members(found, 0)


def test_accounts_that_keep_to_one_template_are_joined_by_what_they_pay_with():
    world = World()
    crowd = world.crowd(3000)
    halves = [world.operation(name, accounts=40, templates=1, prompts=6, seed=at) for at, name in enumerate("ab")]
    assert len(world.find()) == 2
    world.own(crowd, "payment_id", [f"pay-{number}" for number in range(2900)])
    for half in halves:
        world.own(half, "payment_id", [f"pool-{number}" for number in range(10)])
    found = world.find()
    assert len(found) == 1
    assert members(found) == set(halves[0]) | set(halves[1])


@pytest.mark.parametrize(("hours", "expected"), [(1, 2), (6, 1)])
def test_bursts_of_creation_tie_but_not_a_single_one(hours: int, expected: int):
    world = World()
    crowd = world.crowd(3000)
    halves = [world.operation(name, accounts=30, templates=1, prompts=6, seed=at) for at, name in enumerate("ab")]
    world.created = {person: DAY_ZERO + at * HOUR for at, person in enumerate(crowd)}
    for half in halves:
        world.created |= {account: DAY_ZERO + (700 + 50 * (at % hours)) * HOUR for at, account in enumerate(half)}
    assert len(world.find()) == expected


@pytest.mark.parametrize("users", [300, 2900])
def test_a_provider_that_others_use_too_does_not_join_operations(users: int):
    world = World()
    crowd = world.crowd(3000)
    halves = [world.operation(name, accounts=40, templates=1, prompts=6, seed=at) for at, name in enumerate("ab")]
    world.own(crowd[:users] + halves[0] + halves[1], "asn", ["AS1"])
    assert len(world.find()) == 2


def test_relays_of_one_company_do_not_join_operations():
    world = World()
    world.crowd(3000)
    for at, name in enumerate("ab"):
        world.operation(name, accounts=60, templates=3, prompts=8, seed=at)
    relays = [f"relay-{number}" for number in range(3)]
    for relay in relays:
        for family in ("a/0", "a/1", "b/0", "b/1"):
            world.sent[family, relay] += 15
        world.other[relay] += 200
    world.own(relays, "payment_id", ["pay-relay"])
    found = world.find()
    assert len(found) == 2
    assert set(relays) <= members(found, 0)
    assert set(relays) <= members(found, 1)


def test_half_of_the_traffic_may_be_cover():
    world = World()
    world.crowd(1000)
    operation = world.operation("op", accounts=50, templates=3, prompts=10, cover=0.5)
    for account in operation:
        world.other[account] = 10
    assert members(world.find()) == set(operation)


@pytest.mark.parametrize("total", [8, 20, 100])
def test_who_pasted_one_text_amid_diverse_traffic_is_no_member(total: int):
    world = World()
    world.crowd(1000)
    world.operation("op", accounts=50, templates=3, prompts=10)
    world.sent["op/0", "visitor"] = 1
    world.other["visitor"] = total - 1
    assert score_of(world.find(), "visitor") == 0


def test_a_relay_that_carries_a_fifth_is_a_member():
    world = World()
    world.crowd(1000)
    world.operation("op", accounts=50, templates=3, prompts=10)
    for number in range(3):
        world.sent[f"op/{number}", "relay"] = 18 + number % 2
    world.other["relay"] = 245
    found = world.find()
    assert score_of(found, "relay") >= 0.5
    assert reasons_of(found, "relay")[0].startswith("relay: 18% of its traffic (55 of 300 prompts) is in op/1")


def test_sharing_a_payment_with_members_raises_the_score():
    scores = []
    for shares in (False, True):
        world = World()
        crowd = world.crowd(1000)
        operation = world.operation("op", accounts=30, templates=2, prompts=4)
        world.sent["op/0", "newcomer"] = 1
        world.other["newcomer"] = 3
        world.own(crowd, "payment_id", [f"pay-{number}" for number in range(900)])
        world.own(operation + (["newcomer"] if shares else []), "payment_id", ["pool"])
        scores.append(score_of(world.find(), "newcomer"))
    assert scores[1] > max(scores[0], 0.8)


def test_unpassed_families_join_when_their_accounts_are_members_for_the_most_part():
    world = World()
    world.crowd(1000)
    operation = world.operation("op", accounts=50, templates=3, prompts=10)
    for account in operation[:6]:
        world.sent["quiet", account] = 2
    for account in operation[:4]:
        world.sent["app", account] = 1  # somebody else's: a customer sends most of it
        world.sent["popular/0", account] += 1
    world.sent["app", "customer"] = 200
    found = world.find()
    reasons = dict(zip(found.family_ids, found.family_reasons, strict=True))
    assert reasons == {f"op/{n}": "passed both axes" for n in range(3)} | {"quiet": "6 of its 6 accounts are members"}


def test_a_family_that_two_members_share_with_strangers_stays_outside():
    world = World()
    crowd = world.crowd(1000)
    operation = world.operation("op", accounts=50, templates=3, prompts=10)
    for account in operation[:4] + crowd[:8]:
        world.sent["homework", account] = 1
    assert "homework" not in world.find().family_ids


@pytest.mark.parametrize("value", [None, "constant"])
def test_entities_that_say_nothing_change_nothing(value: str | None):
    world = World()
    world.crowd(500)
    world.operation("op", accounts=40, templates=3, prompts=6)
    before = world.find()
    if value:
        world.own(world.accounts(), "asn", [value])
    after = world.find()
    assert same(before, after)
    assert not after.entities.values


def test_no_times_and_no_creation_times_are_neutral():
    world = World(silent=True)
    world.crowd(500)
    operation = world.operation("op", accounts=40, templates=3, prompts=6)
    found = world.find()
    assert members(found) == set(operation)
    assert np.isnat(found.first_ts).all()
    assert np.isnat(found.account_last).all()
    assert not any("signed up" in line for lines in found.account_reasons for line in lines)


def test_members_created_as_everybody_was_get_no_burst():
    world = World()
    crowd = world.crowd(500)
    operation = world.operation("op", accounts=40, templates=3, prompts=6)
    world.created = dict.fromkeys([*crowd, *operation], DAY_ZERO)
    assert not any("signed up" in line for lines in world.find().account_reasons for line in lines)


def test_a_family_that_passed_is_a_campaign_even_if_no_account_is_surely_a_member():
    world = World()
    crowd = world.crowd(200, popular=0)
    for account in crowd[:50]:
        world.sent["F-1", account] = 1
        world.other[account] = 30
    world.passed = {"F-1": 4.0}
    found = world.find()
    assert members(found) == set(crowd[:50])
    assert found.account_score.max() < 0.5


def test_one_account_is_no_campaign():
    world = World()
    world.sent["F-1", "only"] = 5
    world.passed = {"F-1": 3.0}
    assert len(world.find()) == 0


def test_a_family_of_one_prompt():
    world = World()
    world.crowd(300)
    operation = world.operation("op", accounts=20, templates=2, prompts=6)
    world.sent["F-1", "only"] = world.sent["F-2", operation[0]] = 1
    world.passed |= {"F-1": 3.0, "F-2": 3.0}
    found = world.find()
    assert len(found) == 1
    assert members(found) == set(operation)


def test_four_accounts_with_one_prompt_each():
    world = World()
    for number in range(4):
        world.sent["F-1", f"account-{number}"] = 1
    world.passed = {"F-1": 3.0}
    assert reasons_of(world.find(), "account-2") == ("its only prompt is in F-1",)


def test_every_prompt_from_another_account():
    world = World()
    for number in range(300):
        world.sent[f"F-{number % 3}", f"account-{number:03}"] = 1
    world.passed = {f"F-{number}": 9.0 for number in range(3)}
    found = world.find()
    assert len(found) == 3
    assert sorted(np.bincount(found.account_campaign).tolist()) == [100, 100, 100]


def test_nothing_passed():
    world = World()
    world.crowd(100)
    found = world.find()
    assert len(found) == 0
    tables = campaign_tables(found, (), {}, {})
    assert {name: table.num_rows for name, table in tables.items()} == dict.fromkeys(tables, 0)


def test_no_traffic_at_all():
    assert len(World().find()) == 0


def test_a_million_accounts_with_one_prompt_each():
    n = 1_000_000
    nat = np.full(n, np.datetime64("NaT", "us"))
    traffic = Traffic(
        [f"F-{number}" for number in range(4)],
        [f"{number:07}" for number in range(n)],
        np.arange(n) % 4,
        np.arange(n),
        np.ones(n, dtype=np.int64),
        np.ones(n, dtype=np.int64),
        nat,
        nat,
        nat,
        [("plan", "free")],
        np.zeros(n, dtype=np.int64),
        np.arange(n),
        numbers([n]),
        n,
    )
    found = find(traffic, {"F-0": 30.0})
    assert len(found) == 1
    assert len(found.account_ids) == n // 4


def test_a_relay_in_every_family_is_left_out_of_counting(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("promptscan.campaigns.links.PAIR_BUDGET", 500)
    world = World()
    world.crowd(500)
    for at, name in enumerate("ab"):
        world.operation(name, accounts=30, templates=2, prompts=6, seed=at)
    for number in range(40):
        world.passed[f"own/{number}"] = 2.0
        for relay in range(4):
            world.sent[f"own/{number}", f"relay-{relay}"] = 2
    found = world.find()
    assert len(found) == 42


def test_ids_are_carried_over_and_never_used_twice(campaigns: Campaigns):
    first = name_campaigns(campaigns, (), (), 1)
    assert first.ids == ("C-1", "C-2")
    assert first.next_number == 3
    former = [first.ids[at] for at in campaigns.account_campaign.tolist()]
    again = name_campaigns(campaigns, former, campaigns.account_ids, first.next_number)
    assert again == first
    strangers = name_campaigns(campaigns, ["C-1"] * 9, [f"stranger-{n}" for n in range(9)], 3)
    assert strangers.ids == ("C-3", "C-4")


def test_replaced_accounts_join_the_old_campaign():
    world = World()
    world.crowd(1000)
    first = world.operation("op", accounts=40, templates=3, prompts=8)
    before = name_campaigns(world.find(), (), (), 7)
    assert before.ids == ("C-7",)
    later = world.operation("op", accounts=60, templates=3, prompts=8, first=40, seed=5)
    found = world.find()
    after = name_campaigns(found, ["C-7"] * len(first), first, before.next_number)
    assert after.ids == ("C-7",)
    assert members(found) == set(first) | set(later)


def test_the_larger_keeps_the_name_when_campaigns_merge_or_split(campaigns: Campaigns):
    alpha, beta = sorted(members(campaigns, 0)), sorted(members(campaigns, 1))
    merged = name_campaigns(campaigns, ["C-1"] * 20 + ["C-2"] * 41, alpha[:20] + alpha[20:], 5)
    assert merged.ids == ("C-2", "C-5")
    assert merged.merged == {"C-1": "C-2"}
    split = name_campaigns(campaigns, ["C-3"] * (len(alpha) + len(beta)), alpha + beta, 5)
    assert split.ids == ("C-3", "C-5")


def test_where_a_merged_campaign_is_now_is_followed_from_build_to_build():
    known = still_merged({}, CampaignNames(("C-1", "C-3"), 4, {"C-2": "C-1"}))
    assert known == {"C-2": "C-1"}
    known = still_merged(known, CampaignNames(("C-3",), 4, {"C-1": "C-3"}))
    assert known == {"C-1": "C-3", "C-2": "C-3"}
    assert still_merged(known, CampaignNames(("C-2", "C-3"), 4, {})) == {"C-1": "C-3"}  # it was found again


def test_tables_have_the_columns_of_the_store(campaigns: Campaigns):
    labels = {name: f"label of {name}" for name in campaigns.family_ids}
    verdicts = [Verdict('[{"kind": "accounts"}]', "[]", "high"), Verdict()]
    tables = campaign_tables(campaigns, ("C-1", "C-2"), labels, {"alpha/0": "maths", "alpha/1": "maths"})
    tables["campaigns"] = with_verdicts(tables["campaigns"], verdicts)
    for name, table in tables.items():
        assert table.column_names == list(TABLES[name].columns)
    rows = tables["campaigns"].to_pylist()
    assert [row["label"] for row in rows] == ["label of alpha/0", "label of beta/0"]
    assert [row["capability"] for row in rows] == ["maths", None]
    assert [row["severity"] for row in rows] == ["high", None]
    assert [row["n_accounts"] for row in rows] == [61, 41]
    assert [row["n_families"] for row in rows] == [5, 3]
    accounts = tables["campaign_accounts"].to_pylist()
    for at, name in enumerate(("C-1", "C-2")):
        ours = [row for row in accounts if row["campaign_id"] == name]
        assert sum(row["n_prompts"] for row in ours) == rows[at]["n_prompts"]
        assert min(row["first_ts"] for row in ours) == rows[at]["first_ts"]
        families = [row for row in tables["campaign_families"].to_pylist() if row["campaign_id"] == name]
        assert sum(row["n_prompts"] for row in families) == rows[at]["n_prompts"]


def pairs(found: Campaigns) -> list[tuple[str, int]]:
    return list(zip(found.family_ids, found.family_campaign.tolist(), strict=True))


def same(left: Campaigns, right: Campaigns) -> bool:
    """Whether two results agree to the last bit of every field but the entities, which are compared as tables."""
    names = [str(number) for number in range(len(left))]
    tables = [campaign_tables(found, names, {}, {}) for found in (left, right)]
    return len(left) == len(right) and all(tables[0][name].equals(tables[1][name]) for name in tables[0])


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 60), st.integers(60, 2000))
def test_bounds_are_never_below_the_hypergeometric_tail(first: int, second: int, shared: int, total: int):
    shared = min(shared, first, second)
    sizes = [np.array([float(number)]) for number in (shared, first, second)]
    exact = hypergeom.sf(shared - 1, total, first, second)
    assert np.exp(overlap_log_tail(*sizes, float(total)))[0] >= exact * (1 - 1e-9)


@given(st.integers(0, 80), st.floats(0.01, 50))
def test_bounds_are_never_below_the_poisson_tail(count: int, expected: float):
    bound = np.exp(count_log_tail(np.array([float(count)]), np.array([expected])))[0]
    assert bound >= poisson.sf(count - 1, expected) * (1 - 1e-9)


@given(st.integers(1, 30), st.integers(0, 200))
def test_more_prompts_inside_never_weigh_less(inside: int, others: int):
    total = np.full(2, inside + 1 + others)
    fewer, more = traffic_weights(np.array([inside, inside + 1]), total)
    assert more > fewer
