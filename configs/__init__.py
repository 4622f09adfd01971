"""Recipes, as YAML files shipped with the package; `ddbench recipes` lists them."""
