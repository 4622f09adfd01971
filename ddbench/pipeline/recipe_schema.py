"""A JSON schema of recipes, with the settings of every method, by which editors complete YAML."""

from __future__ import annotations

from typing import Any, cast, get_args

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema

from ddbench.methods import METHODS
from ddbench.recipe.experts import ExpertRecipe
from ddbench.recipe.recipe import Recipe
from ddbench.recipe.settings import Part
from ddbench.recipe.teachers import one_or_more

DIALECT = "http://json-schema.org/draft-07/schema#"
"""The version of JSON Schema that the YAML language server knows best."""


def recipe_schema() -> dict[str, Any]:
    """Describe recipes as they may be written: parts by bare names, one value for a list, labels of methods.

    Returns:
        A JSON schema, draft 7. Settings that a method requires are not required here, since ``by_ipc`` and a sweep may
        set them.

    Raises:
        UserError: A method of an installed package can not be imported.
    """
    methods = {name: METHODS.get(name) for name in METHODS.names()}
    models = [Recipe, ExpertRecipe, *methods.values()]
    references, shared = models_json_schema(
        [(model, "validation") for model in models], schema_generator=_AsWritten, ref_template="#/$defs/{model}"
    )
    definitions = cast(dict[str, dict[str, Any]], shared["$defs"])
    names = {model: references[model, "validation"]["$ref"].rsplit("/", 1)[-1] for model in models}
    entries = {f"method {name}": _entry_schema(definitions[names[method]]) for name, method in methods.items()}
    recipe = definitions.pop(names[Recipe])
    recipe["properties"]["methods"] |= {
        "properties": {name: _label_schema(name) for name in methods},
        "additionalProperties": {"$ref": "#/$defs/labeled method"},
    }
    labeled = {"allOf": [{"required": ["method"]}, {"$ref": "#/$defs/named method"}], "type": "object"}
    named = {
        "properties": {"method": {"enum": list(methods)}},
        "allOf": [
            {"if": {"properties": {"method": {"const": name}}}, "then": {"$ref": f"#/$defs/method {name}"}}
            for name in methods
        ],
    }
    definitions |= {**entries, "named method": named, "labeled method": labeled}
    return {"$schema": DIALECT, **recipe, "title": "ddbench recipe", "$defs": definitions}


def _label_schema(name: str) -> dict[str, Any]:
    """An entry of ``methods`` whose label is the name of a method, which ``method`` may contradict."""
    return {
        "type": ["object", "null"],
        "if": {"type": "object", "required": ["method"]},
        "then": {"$ref": "#/$defs/named method"},
        "else": {"$ref": f"#/$defs/method {name}"},
    }


def _entry_schema(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a method, and the keys that every entry of ``methods`` may have."""
    own = {**settings.get("properties", {}), "experts": {"$ref": "#/$defs/ExpertRecipe"}}
    at_one_ipc = {"type": "object", "properties": own, "additionalProperties": False}
    return {
        "type": ["object", "null"],
        "description": settings.get("description", ""),
        "additionalProperties": False,
        "properties": {
            **own,
            "method": {"type": "string", "description": "The method, where the label is another name."},
            "ipc": {
                "anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}}],
                "description": "Those of the recipe's numbers of images per class at which it is run; all by default.",
            },
            "by_ipc": {
                "type": "object",
                "description": "Settings that hold at one number of images per class alone.",
                "propertyNames": {"pattern": "^[0-9]+$"},
                "additionalProperties": at_one_ipc,
            },
        },
    }


class _AsWritten(GenerateJsonSchema):
    """Schemas of what a recipe may say, where that is more than what its models hold."""

    def function_before_schema(self, schema: Any) -> JsonSchemaValue:
        inner = super().function_before_schema(schema)
        if schema["function"]["function"] is one_or_more and "items" in inner:
            return {"anyOf": [inner["items"], inner]}
        return inner

    def tagged_union_schema(self, schema: Any) -> JsonSchemaValue:
        union = super().tagged_union_schema(schema)
        return {"anyOf": union["oneOf"]} if "oneOf" in union else union

    def model_schema(self, schema: Any) -> JsonSchemaValue:
        written = super().model_schema(schema)
        model = schema["cls"]
        if issubclass(model, Part) and (kinds := get_args(model.model_fields["kind"].annotation)):
            return {"anyOf": [{"enum": list(kinds)}, written]}
        return written
