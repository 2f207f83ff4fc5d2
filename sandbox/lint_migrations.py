"""Refuse a migration that would break the release still running while it is applied (a dropped column, say)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import django
from django.apps import apps
from django_migration_linter import MigrationLinter

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "techdeputies.settings")
    django.setup()
    ours = [config.label for config in apps.get_app_configs() if Path(config.path).parent == ROOT]
    linter = MigrationLinter(str(ROOT), include_apps=ours, no_cache=True)
    linter.lint_all_migrations()
    linter.print_summary()
    return 1 if linter.has_errors else 0


if __name__ == "__main__":
    sys.exit(main())
