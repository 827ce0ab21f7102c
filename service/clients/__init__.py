"""Who may send how much: keys, characters a minute, characters for good, and what was used."""
