"""A seeded simulator of a prompt log with planted campaigns and with traffic that only looks like one.

`simulate` writes three tables: prompts (in time order), accounts, and the truth about every prompt. What is asked for is
a `SimulationConfig`: campaigns (`CampaignConfig`), hard negatives (`NegativeConfig`), the size of the log, and perhaps
a corpus of real texts. `load_scenario` reads campaigns and negatives from TOML, `load_preset` a log after a public
report, `scaled` makes it smaller; `docs/guides/simulate.md` has the knobs.

What is modelled:

* people who write in sessions, with interests and habits, in eight languages, with retries, popular public templates and
  what everybody types; some share the gateways of a carrier, an office, a family's card;
* campaigns that send templates with systematically swept slots from many throw-away accounts under a daily cap, in batches,
  mixed with cover; accounts made in bursts, aged, replaced when banned; payments, addresses, networks, clients and mail
  domains drawn from small pools, each with its own probability; other languages, reworded fixed text, a slow start, relays
  that carry a part of it beside other customers, a move to a new model;
* hard negatives: a prompt that goes viral, a vendor's app, classes with homework, people who replay a benchmark, evaluation
  companies, translation agencies, shops with one SEO tool, relays that pool many people behind one account.

Truth: `template_id` and `family_id` are set for campaign prompts only; `campaign_id` also for a campaign's cover traffic,
since a campaign is a set of accounts. A family is the task a template probes, so two campaigns that use the same
capability share families. `label` is background, popular_template, retry, campaign, campaign_cover, or a `NegativeKind`;
`account_role` says what the account is: person, a `NegativeKind`, campaign. A relay's account keeps its role when
it carries a campaign's prompt; viral prompts and benchmarks come from persons.

Variety: 5.6 % of the background texts of a default run have another one above 0.7 character-5-gram Jaccard (exact
copies of what everybody types included; `tests/test_simulate_texts.py`), drawn from about 4,000 slot fillers.

What is not modelled: meaning (sentences are grammatical, not sensible, and no answer exists, so nothing reacts to one);
operators who learn from being caught; obfuscation (homoglyphs, encodings, zero-width characters); prompts that a model
paraphrased (rewording here is synonyms, order and slips, in English only); conversations with earlier turns pasted in;
images and files; seasons, outages and growth of the service; people who own several accounts; account take-over;
residential proxies that change their address with each request; negatives that change their wording within the window;
anything real about how common each negative is. Names, companies, models, addresses and identifiers are made up. A
detector that does well here has passed a smoke test, not an evaluation.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from promptscan.simulate.config import SimulationConfig, default_campaigns
from promptscan.simulate.knobs import CampaignConfig, Capability, Shared
from promptscan.simulate.negative import NegativeConfig, NegativeKind, default_negatives
from promptscan.simulate.presets import Preset, load_preset, preset_names, scaled
from promptscan.simulate.request import requested
from promptscan.simulate.scenario import Scenario, load_campaigns, load_scenario

__all__ = [
    "CampaignConfig",
    "Capability",
    "NegativeConfig",
    "NegativeKind",
    "Preset",
    "Scenario",
    "Shared",
    "Simulation",
    "SimulationConfig",
    "default_campaigns",
    "default_negatives",
    "load_campaigns",
    "load_preset",
    "load_scenario",
    "preset_names",
    "requested",
    "scaled",
    "simulate",
]


@dataclass(frozen=True, slots=True)
class Simulation:
    """What was written.

    Args:
        prompts: path of the prompts table.
        accounts: path of the accounts table.
        truth: path of the truth table.
        n_prompts: rows of the prompts and of the truth table.
        n_accounts: rows of the accounts table.
        labels: prompts by label.
        campaigns: prompts by campaign, cover excluded; a campaign whose accounts cannot carry its share under the
            daily cap has fewer than its share.
    """

    prompts: Path
    accounts: Path
    truth: Path
    n_prompts: int
    n_accounts: int
    labels: dict[str, int]
    campaigns: dict[str, int]


def simulate(config: SimulationConfig, out: Path) -> Simulation:
    """Write a simulated log; the same configuration gives the same bytes.

    Args:
        config: what to simulate.
        out: folder, made if need be; its three tables are replaced together at the end.

    Returns:
        Paths and counts.

    Raises:
        UsageError: a campaign asks for more templates than its capabilities have, or the corpus cannot be read.
    """
    import numpy as np

    from promptscan.simulate.background import ordinary_traffic
    from promptscan.simulate.campaigns import campaign_traffic
    from promptscan.simulate.corpus import NO_CORPUS, load_corpus, with_real
    from promptscan.simulate.furnish import furnish
    from promptscan.simulate.plan import Label, join
    from promptscan.simulate.population import people
    from promptscan.simulate.texts import Writers, writers
    from promptscan.simulate.writer import replacing, write_tables

    config = config.complete()
    corpus = load_corpus(config.corpus) if config.corpus else NO_CORPUS
    wording = Writers(corpus.fillers()) if config.corpus else writers()
    population = people(config, wording.n_topics)
    furnish(config, population)
    parts = [campaign_traffic(config, population, wording, number) for number in range(len(config.all_campaigns()))]
    left = config.prompts - sum(part.size for part in parts)
    plan = join([*parts, *ordinary_traffic(config, population, wording, left)])
    plan = with_real(plan, corpus, config.seed)
    with replacing(out) as paths:
        write_tables(config, population, plan, wording, corpus, paths)
    labels = np.bincount(plan.label, minlength=len(Label)).tolist()
    planted = Counter(plan.campaign[plan.label == Label.CAMPAIGN].tolist())
    return Simulation(
        prompts=out / "prompts.parquet",
        accounts=out / "accounts.parquet",
        truth=out / "truth.parquet",
        n_prompts=plan.size,
        n_accounts=config.accounts,
        labels={label.name.lower(): labels[label] for label in Label},
        campaigns={campaign.name: planted[number] for number, campaign in enumerate(config.all_campaigns())},
    )
