"""`fer-audit check`."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `check`."""


def execute(options: argparse.Namespace) -> int:
    """Nothing yet."""
    return 0
