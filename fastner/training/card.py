"""The model card: what a bundle was trained on, how, what it scores, and what to mind."""

from __future__ import annotations

from fastner.scoring import Scores, format_scores
from fastner.training.recipe import Recipe


def model_card(
    scores: Scores, recipe: Recipe, *, description: str, license: str, preset: str, seed: int
) -> str:
    """Markdown for the bundle's README.md; the scores are those of the exported graphs on dev."""
    choices = "\n".join(f"| {name} | {value} |" for name, value in recipe.to_dict().items())
    return f"""# A fastner model

{description or "No description was given."}

License: {license}

Dev scores, through the exported graphs and the decoder of inference:

```
{format_scores(scores)}
```

Trained with `fastner train`, preset `{preset}`, seed {seed}:

| choice | value |
|---|---|
{choices}

Words longer than {recipe.max_characters} characters are seen by their first and last halves.
Expect lower scores on text of another kind than the training corpus.
"""
