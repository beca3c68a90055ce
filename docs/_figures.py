"""Gives the site the figures of benchmarks/figures, which lie outside of the folder that MkDocs reads."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

FIGURES = Path(__file__).resolve().parents[1] / "benchmarks" / "figures"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Called by MkDocs once it knows the pages."""
    for path in sorted(FIGURES.glob("*.svg")):
        files.append(File.generated(config, f"figures/{path.name}", abs_src_path=str(path)))
    return files
