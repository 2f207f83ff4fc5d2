"""Run ``main()`` of a module of this package inside a Django project: ``python -m benchmarks.inside PROJECT MODULE``."""

from __future__ import annotations

import importlib
import os
import sys

import django


def main() -> None:
    settings, module = sys.argv[1:]
    os.environ["DJANGO_SETTINGS_MODULE"] = settings
    django.setup()
    importlib.import_module(module).main()


if __name__ == "__main__":
    main()
