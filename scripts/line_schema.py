#!/usr/bin/env python3
"""The JSON Schema of a line that `headgate ledger import` reads, docs/ledger_line.schema.json, written from the code.

python scripts/line_schema.py            print it
python scripts/line_schema.py --write    put it into docs/
"""

import argparse
import json
import sys
from pathlib import Path

from headgate.ledger.lines import schema

FILE = Path(__file__).resolve().parents[1] / "docs" / "ledger_line.schema.json"


def main() -> None:
    """Print the schema, or write it."""
    parser = argparse.ArgumentParser(description="Refresh the JSON Schema of a line.")
    parser.add_argument("--write", action="store_true")
    shown = json.dumps(schema(), indent=2) + "\n"
    if parser.parse_args().write:
        FILE.write_text(shown, encoding="utf-8")
    else:
        sys.stdout.write(shown)


if __name__ == "__main__":
    main()
