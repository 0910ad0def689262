"""The store: immutable segments and generations, one writer, readers that never wait. Knows nothing of prompts."""

from promptscan.store.files import FileRef, sha256_of
from promptscan.store.fsck import Problem, check
from promptscan.store.generation import Files, Generation
from promptscan.store.manifest import EncoderRef, Manifest, Segment
from promptscan.store.writer import Writer, open_writer, prune

__all__ = [
    "EncoderRef",
    "FileRef",
    "Files",
    "Generation",
    "Manifest",
    "Problem",
    "Segment",
    "Writer",
    "check",
    "open_writer",
    "prune",
    "sha256_of",
]
