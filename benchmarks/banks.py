"""Banks of public prompts against real texts on simulated accounts: what to leave out, what to call known.

    python -m benchmarks.banks --data DIR

DIR holds `sim/log.parquet` and `sim/truth.parquet`, the banks' texts, and sets that people wrote.

* Left out: lexical candidate pairs when fingerprints that at least so many texts of the banks have are ignored. `paired`: share
  of texts with a pair of their own family. The popular templates were drawn from these very banks, the rest was not.
* Known: share of texts that a bank knows by the share of fingerprints asked for. `edited n %`: the banks' own texts of 200
  characters and more with that share of words replaced by words of other texts. The other columns are texts from elsewhere;
  some are public prompts that people pasted, so they are an upper bound of the false ones.
* Obfuscation: share of the prompts that people wrote with more than .05, and with more than .2.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks import machine
from benchmarks.labelled import HUMAN
from promptscan import banks
from promptscan.banks import BankIndex, key_digests, match
from promptscan.curation import Kind
from promptscan.disguise import Examined, examine
from promptscan.normalise import clean
from promptscan.postings import candidate_pairs

BANKS = ("awesome_prompts_revs", "benign_templates", "chat_bench")
FREQUENCIES = (0, 64, 32, 16, 8, 4, 2, 1)  # 0: nothing is left out
SHARES = (0.5, 0.7, 0.8, 0.9)
EDITS = (0.02, 0.05, 0.1, 0.2)
BUCKET = 4  # as in promptscan.candidates
SIM = """
SELECT l.text, any_value(coalesce(t.campaign_id, t.label)) AS part, any_value(concat_ws('|', t.campaign_id, t.family_id)) AS family
FROM '{0}/log.parquet' l JOIN '{0}/truth.parquet' t USING (prompt_id) WHERE t.label <> 'campaign_cover' GROUP BY l.text ORDER BY l.text
"""


def main() -> None:
    """Measure, store, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    kept = {name: cleaned(data / f"{name}.parquet") for name in BANKS}
    indexes = [BankIndex.of_texts(texts, Kind.BENIGN) for texts in kept.values()]
    sim = duckdb.sql(SIM.format(data / "sim")).to_arrow_table()
    seen = examine(clean(sim["text"].combine_chunks())[0])
    part, family = (np.array(sim[name].to_pylist(), dtype=object) for name in ("part", "family"))
    result = {
        "machine": machine.facts(),
        "left_out": left_out(indexes, seen, part, family),
        "known": known(indexes, kept, seen, part),
        "obfuscation": obfuscation(data),
    }
    machine.store("banks", result)
    print(table(result))


def cleaned(path: Path) -> pa.Array:
    """Read the distinct clean texts of a set."""
    texts, _ = clean(pq.read_table(path, columns=["text"])["text"].combine_chunks())
    return texts.unique()


def left_out(
    indexes: list[BankIndex], seen: Examined, part: NDArray[Any], family: NDArray[Any]
) -> list[dict[str, Any]]:
    """Propose pairs without the fingerprints that are frequent in the banks, for each meaning of frequent."""
    hashes, place = np.unique(np.concatenate([index.hashes for index in indexes]), return_inverse=True)
    sizes = np.bincount(place, np.concatenate([index.sizes for index in indexes]))
    rows = []
    for least in FREQUENCIES:
        ignored = hashes[sizes >= least] if least else hashes[:0]
        pairs = candidate_pairs(seen.fingerprints, max_bucket=BUCKET, ignore=ignored)
        own = (family[pairs.a] == family[pairs.b]) & (part[pairs.a] == part[pairs.b])
        paired = np.zeros(len(part), np.bool_)
        paired[pairs.a[own]] = paired[pairs.b[own]] = True
        rows.append(
            {
                "texts of the banks": least or "none left out",
                "fingerprints left out": len(ignored),
                "pairs": len(pairs.a),
                "pairs across parts": int((part[pairs.a] != part[pairs.b]).sum()),
            }
            | {f"paired {name}": round(float(paired[part == name].mean()), 3) for name in parts(part)}
        )
    return rows


def known(
    indexes: list[BankIndex], kept: dict[str, pa.Array], seen: Examined, part: NDArray[Any]
) -> list[dict[str, Any]]:
    """Count the texts that the banks know, for each share of fingerprints that may be asked for."""
    own = [text for texts in kept.values() for text in texts.to_pylist() if len(text) >= 200]
    edits = {f"edited {share:.0%}": examine(pa.array(edited(own, share), pa.large_string())) for share in EDITS}
    rows = []
    for share in SHARES:
        banks.KNOWN = share
        row: dict[str, Any] = {"share": share}
        row |= {name: round(float(hits(indexes, one).mean()), 4) for name, one in edits.items()}
        found = hits(indexes, seen)
        row |= {name: round(float(found[part == name].mean()), 4) for name in parts(part)}
        rows.append(row)
    return rows


def parts(part: NDArray[Any]) -> list[str]:
    """Name the parts of the log that are not drawn from the banks."""
    return [str(name) for name in np.unique(part.astype(str))]


def hits(indexes: list[BankIndex], seen: Examined) -> NDArray[np.bool_]:
    """Tell which texts any bank knows."""
    found = np.zeros(len(seen.keys), np.bool_)
    counts = np.bincount(seen.fingerprints.texts, minlength=len(found))
    digests = key_digests(seen.keys)
    for index in indexes:
        found[match(index, seen.fingerprints, counts, lambda some: digests[some]).texts] = True
    return found


def edited(texts: list[str], share: float) -> list[str]:
    """Replace a share of each text's words by words of other texts."""
    dice = np.random.default_rng(0)
    vocabulary = np.array(sorted({word for text in texts[::10] for word in text.split()}), dtype=object)
    result = []
    for text in texts:
        words = np.array(text.split(" "), dtype=object)
        at = np.flatnonzero(dice.random(len(words)) < share)
        words[at] = dice.choice(vocabulary, len(at))
        result.append(" ".join(words.tolist()))
    return result


def obfuscation(data: Path) -> list[dict[str, Any]]:
    """Count the prompts that people wrote which look disguised."""
    rows = []
    for name in HUMAN:
        texts, invisible = clean(pq.read_table(data / f"{name}.parquet", columns=["text"])["text"].combine_chunks())
        seen = examine(texts)
        share = 1 - (1 - invisible.to_numpy()) * (1 - seen.folded) * (1 - seen.decoded)
        rows.append(
            {
                "set": name,
                "texts": len(texts),
                "over .05": int((share > 0.05).sum()),
                "over .2": int((share > 0.2).sum()),
            }
        )
    total = {key: sum(row[key] for row in rows) for key in ("texts", "over .05", "over .2")}
    return [*rows, {"set": "all", **total}]


def table(result: dict[str, Any]) -> str:
    """Draw the three tables."""
    from benchmarks.tables import rows

    return "\n\n".join(
        rows({"rows": result[name], "machine": result["machine"]}) for name in ("left_out", "known", "obfuscation")
    )


if __name__ == "__main__":
    main()
