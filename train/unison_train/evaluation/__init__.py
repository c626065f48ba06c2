"""How good a bundle is: fixed requests, judges from elsewhere, and a floor and a ceiling beside every number."""
