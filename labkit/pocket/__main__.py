"""`python -m labkit.pocket`: makes the pocket models from nothing. `make pocket` calls it."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from labkit.models.embedded import pocket_dir


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m labkit.pocket", description=__doc__)
    parser.add_argument("--only", help="names of models, with commas; all by default")
    parser.add_argument("--out", type=Path, default=pocket_dir(), help="where the models go")
    parser.add_argument("--work", type=Path, default=Path("build/pocket"), help="ids and checkpoints")
    parser.add_argument("--steps", type=float, default=1.0, help="share of the steps, for a pilot")
    options = parser.parse_args()

    from labkit.pocket.recipe import Kitchen, recipes

    kitchen = Kitchen(options.work, options.out)
    for recipe in recipes():
        if not options.only or recipe.name in options.only.split(","):
            steps = max(1, round(recipe.schedule.steps * options.steps))
            kitchen.make(replace(recipe, schedule=replace(recipe.schedule, steps=steps)))


if __name__ == "__main__":
    main()
