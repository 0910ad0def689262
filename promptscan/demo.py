"""demo: the main job on a simulated log whose campaigns are known."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from promptscan.api import ScanReport, Store, scan
from promptscan.config import Configured
from promptscan.evaluation import Evaluation, evaluate
from promptscan.report import ReportFormat, collect, write_report
from promptscan.simulate import SimulationConfig, simulate
from promptscan.types import Progress, silent


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demo made and found.

    Attributes:
        report: the HTML report.
        store: folder of the store, for further questions.
        scan: what was ingested and built.
        evaluation: what was found of what was planted.
        seconds: wall time of all of it.
    """

    report: Path
    store: Path
    scan: ScanReport
    evaluation: Evaluation
    seconds: float


def demo(folder: Path, *, prompts: int = 20_000, seed: int = 0, progress: Progress = silent) -> Demo:
    """Simulate a log, scan it, judge the result, write the report.

    Args:
        folder: gets `log/`, `store/` and `report/`; a second run with the same arguments finds nothing new in it.
        prompts: size of the log.
        seed: of the simulation.
        progress: called as stages advance.
    """
    begin = time.perf_counter()
    config = SimulationConfig(prompts=prompts, accounts=max(20, prompts * 3 // 40), seed=seed)
    log = simulate(config, folder / "log")
    settings = Configured.load({"store": folder / "store"}).settings
    report = scan(log.prompts, accounts=log.accounts, settings=settings, progress=progress, command="demo")
    with Store(settings.store, settings) as store:
        with store.connect() as con:
            document = collect(con, since=None)
        write_report(document, folder / "report", [ReportFormat.HTML, ReportFormat.JSON])
        evaluation = evaluate(store, log.truth)
    return Demo(folder / "report" / "report.html", settings.store, report, evaluation, time.perf_counter() - begin)
