"""The tables of the campaign benchmark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import mean, median
from typing import Any

DAYS = ("1", "3", "7", "45")
TARGETS = (
    "Targets: first correct alert by day 1 from 1 % of the traffic, by day 3 at 0.1 %; accounts on day 7 at precision ≥ 0.99 and "
    "recall ≥ 0.95; no more than one false alert a day on benign logs. Days are log time from the operation's first prompt to the "
    "build that fired (builds are at midnight, so the first day's is at most 1.00). An alert is correct when at least half of the "
    "accounts that it names sent for the operation, and false when that holds for none at the build that fired it. Accounts count "
    "from their first prompt for the operation on; relays that carry it are left out."
)


def table(results: dict[str, Any]) -> str:
    """Draw everything that was measured."""
    logs = [own for _, own in sorted(results.get("logs", {}).items())]
    planted, benign = [own for own in logs if own["campaigns"]], [own for own in logs if not own["campaigns"]]
    lines = [TARGETS, ""]
    if planted:
        lines += [*_planted(planted), ""]
    if benign:
        lines += [*_benign(benign), ""]
    beside = [own for own in planted if "baselines" in own]
    if beside:
        lines += ["Beside simpler means, on the same logs:", "", *_baselines(beside), "", NOTE, ""]
    ablated = [own for own in planted if "ablations" in own]
    if ablated:
        lines += [*_ablations(ablated), ""]
    if "real" in results:
        lines += [*_real(results["real"]), ""]
    if "size" in results:
        lines += [*_size(results["size"]), ""]
    facts = [own["machine"] for own in [*logs, *(results[name] for name in ("real", "size") if name in results)]]
    if facts:
        load = max(one["load_1_minute"] for one in facts)
        one = facts[0]
        lines.append(
            f"Machine: {one['processor']}, {one['cores']} cores, {one['memory_gib']} GiB, load up to {load:.1f}."
        )
    return "\n".join(lines).rstrip()


NOTE = (
    "volume flags as many of the loudest accounts as the operation has, which nobody would know. exact: accounts that share a text "
    "(case and outer space aside); minhash: rensa, 128 permutations of words, Jaccard 0.8; kollude 0.4.0 with its defaults. A group "
    "of at least five accounts counts as an alarm of these; kollude's own alarms, which name an hour and five templates, stand "
    "beside. AUROC is of each method's own score of accounts, at the end."
)


def _by_shape(logs: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    shapes: dict[str, list[dict[str, Any]]] = {}
    for own in logs:
        shapes.setdefault(own["shape"], []).append(own)
    return shapes


def _planted(logs: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| log | builds | logs | operation: prompts / accounts | found | days: median / worst | "
        + " | ".join(f"day {day}: precision / recall" for day in DAYS)
        + " | false alerts a day | s a log |",
        "|---|---|---:|---:|---:|---:|" + "---:|" * (len(DAYS) + 2),
    ]
    for shape, own in _by_shape(logs).items():
        found = [campaign for log in own for campaign in log["campaigns"].values()]
        days = [campaign["days"] for campaign in found]
        hit = [day for day in days if day is not None]
        cells = [_both([_at(campaign, day) for campaign in found]) for day in DAYS]
        worst = "never" if len(hit) < len(days) else f"{max(hit):.2f}"
        told = f"{median(hit):.2f} / {worst}" if hit else "never"
        lines.append(
            f"| {shape} | {own[0]['by']} | {len(own)} | {_mean(campaign['prompts'] for campaign in found):,.0f} / "
            f"{_mean(campaign['accounts'] for campaign in found):,.0f} | {len(hit)}/{len(days)} | {told} | "
            + " | ".join(cells)
            + f" | {_mean(log['false_per_day'] for log in own):.2f} | {_mean(log['seconds'] for log in own):.0f} |"
        )
    return lines


def _at(campaign: dict[str, Any], day: str) -> dict[str, Any] | None:
    """Return the accounts on a day; the last day of the table is the end of a log that is nearly as long."""
    found: dict[str, Any] | None = campaign["by_day"].get(day)
    return found


def _both(scores: Sequence[dict[str, Any] | None]) -> str:
    """Write mean precision, of those that named anybody, and mean recall."""
    known = [score for score in scores if score is not None]
    if not known:
        return ""
    precision = [score["precision"] for score in known if score["precision"] is not None]
    recall = [score["recall"] for score in known if score["recall"] is not None]
    return f"{mean(precision):.3f} / {_mean(recall):.3f}" if precision else f"· / {_mean(recall):.3f}"


def _benign(logs: list[dict[str, Any]]) -> list[str]:
    lines = [
        "Logs without any operation, with the simulator's hard negatives:",
        "",
        "| log | builds | logs | alerts | false alerts a day: mean / worst log |",
        "|---|---|---:|---:|---:|",
    ]
    for shape, own in _by_shape(logs).items():
        rates = [log["alerts"] / log["log_days"] for log in own]
        builds = " or ".join(sorted({log["by"] for log in own}))
        lines.append(
            f"| {shape} | {builds} | {len(own)} | {sum(log['alerts'] for log in own)} | {mean(rates):.2f} / {max(rates):.2f} |"
        )
    return lines


def _baselines(logs: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| log | method | logs | AUROC | accounts at the end: precision / recall | found | days: median | false alarms a day | s |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for shape, own in _by_shape(logs).items():
        mine = [
            {
                "auroc": log["auroc"],
                **log["accounts"],
                "days": min(
                    (one["days"] for one in log["campaigns"].values() if one["days"] is not None), default=None
                ),
                "false_per_day": log["false_per_day"],
                "seconds": log["seconds"],
            }
            for log in own
        ]
        lines.append(_method(shape, "promptscan", mine))
        for name in own[0]["baselines"]:
            answers = [log["baselines"][name] for log in own if "failed" not in log["baselines"][name]]
            if not answers:
                lines.append(f"| {shape} | {name} | {own[0]['baselines'][name]['failed']} | | | | | | |")
                continue
            lines.append(_method(shape, name, answers))
            if "alarms" in answers[0]:
                raised = [{**answer["alarms"], "seconds": answer["seconds"]} for answer in answers]
                lines.append(_method(shape, f"{name}, its alarms", raised))
    return lines


def _method(shape: str, name: str, answers: list[dict[str, Any]]) -> str:
    hit = [answer["days"] for answer in answers if answer["days"] is not None]
    areas = [answer["auroc"] for answer in answers if answer.get("auroc") is not None]
    both = _both(answers) if "precision" in answers[0] else ""
    wrong = f"{_mean(answer['false_per_day'] for answer in answers):.2f}" if "false_per_day" in answers[0] else ""
    found = "" if name == "volume" else f"{len(hit)}/{len(answers)}"
    return (
        f"| {shape} | {name} | {len(answers)} | {f'{mean(areas):.3f}' if areas else ''} | {both} | {found} | "
        f"{f'{median(hit):.2f}' if hit else ''} | {wrong} | {_mean(answer['seconds'] for answer in answers):.1f} |"
    )


def _ablations(logs: list[dict[str, Any]]) -> list[str]:
    """Draw the mean over logs: operations found, accounts, false alerts."""
    return [
        (
            f"What each piece adds: campaigns found again at the end of {len(logs)} of these logs, in one look with the budget of all "
            "days, with one kind of evidence left out, or with families from one view only:"
        ),
        "",
        *_ablated([log["ablations"] for log in logs]),
    ]


def _ablated(runs: list[dict[str, Any]]) -> list[str]:
    lines = ["| | operations found | accounts: precision / recall | alerts | false |", "|---|---:|---:|---:|---:|"]
    for name in runs[0]:
        own = [run[name] for run in runs if name in run]
        found = [campaign for one in own for campaign in one["campaigns"].values()]
        lines.append(
            f"| {name} | {sum(campaign['days'] is not None for campaign in found)}/{len(found)} | "
            f"{_both([one['accounts'] for one in own])} | {sum(one['alerts'] for one in own)} | "
            f"{sum(one['false_alerts'] for one in own)} |"
        )
    return lines


def _real(own: dict[str, Any]) -> list[str]:
    lines = [
        (
            f"Real texts on simulated accounts, builds {own['by']}: {own['alerts']} alerts in {own['log_days']} days, "
            f"{own['false_alerts']} false ({own['mixed']} of them on several operations at once), {own['seconds']:.0f} s:"
        ),
        "",
        "| operation | prompts | accounts | days | "
        + " | ".join(f"day {day}: precision / recall" for day in DAYS)
        + " | end |",
        "|---|---:|---:|---:|" + "---:|" * (len(DAYS) + 1),
    ]
    for name, campaign in own["campaigns"].items():
        days = "never" if campaign["days"] is None else f"{campaign['days']:.2f}"
        cells = [_both([_at(campaign, day)]) for day in DAYS]
        lines.append(
            f"| {name} | {campaign['prompts']:,} | {campaign['accounts']} | {days} | "
            + " | ".join([*cells, _both([campaign["final"]])])
            + " |"
        )
    if "baselines" in own:
        shaped = {**own, "shape": "real texts"}
        lines += ["", *_baselines([shaped])]
    if "ablations" in own:
        lines += ["", *_ablated([own["ablations"]])]
    return lines


def _size(own: dict[str, Any]) -> list[str]:
    stages = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in own["seconds"].items())
    return [
        (
            f"Size: {own['prompts']:,} prompts of {own['accounts']:,} accounts in {own['families']:,} families, "
            f"{own['campaigns']} planted operations: {stages}; {sum(own['seconds'].values()):.0f} s (target ≤ 120 s), peak "
            f"{own['peak_rss_bytes'] / 2**30:.2f} GiB (target ≤ 4 GiB); {own['alerts']} alerts, "
            f"{own['found']} operations found (`python -m benchmarks.campaigns.size`)."
        )
    ]


def _mean(values: Iterable[float]) -> float:
    known = list(values)
    return mean(known) if known else 0.0
