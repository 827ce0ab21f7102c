"""From texts to segments and back: models, languages, and translations that are there already."""
