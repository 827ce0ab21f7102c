"""What the bodies of the native wire are made of.

Knows the types of fields that several bodies share, and how strictly all are read. Does not know
any body.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, model_validator
from pydantic_core import PydanticCustomError

from mt.config import did_you_mean
from service.descriptions import of_server
from service.parameters import LONGEST_NAME, clean

UNKNOWN_FIELD = "unknown_field"
"""Type of an error whose context has the field's name."""


class Body(BaseModel):
    """Unknown fields and other types are refused: what a client asks for is never passed over."""

    model_config = ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    @model_validator(mode="before")
    @classmethod
    def _read(cls, fields: Any) -> Any:
        """JSON has one kind of number: 5.0 is as whole as 5."""
        if isinstance(fields, cls):
            return fields
        if not isinstance(fields, dict):
            raise PydanticCustomError("object", "Input should be an object")
        # Of many the first is enough; pydantic would tell of each, which takes a second of 190,000.
        for name in fields:
            if name not in cls.model_fields:
                raise _unknown(name, list(cls.model_fields))
        return {
            name: int(value) if isinstance(value, float) and value.is_integer() else value
            for name, value in fields.items()
        }


def _unknown(name: str, known: list[str]) -> PydanticCustomError:
    name = clean(name)[:LONGEST_NAME]
    hint = did_you_mean(name, known) or f"there are {', '.join(known)}"
    return PydanticCustomError(UNKNOWN_FIELD, "unknown field; {hint}", {"name": name, "hint": hint})


def _read_texts(value: object) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise PydanticCustomError("texts", "Input should be a string or a list of strings")
    return [clean(text) for text in texts]


_Text = Annotated[str, Field(json_schema_extra=of_server(maxLength="char_limit"))]
_List = Annotated[list[_Text], Field(json_schema_extra=of_server(maxItems="batch_limit"))]
Texts = Annotated[list[str], PlainValidator(_read_texts, json_schema_input_type=_Text | _List)]
"""Of a client, a text or a list of texts."""
Sentence = Annotated[_Text, Field(min_length=1), AfterValidator(clean)]
Source = Annotated[
    str, AfterValidator(clean), Field(json_schema_extra=of_server(enum="languages_or_auto"))
]
Target = Annotated[str, AfterValidator(clean), Field(json_schema_extra=of_server(enum="languages"))]
ModelName = Annotated[str, AfterValidator(clean), Field(json_schema_extra=of_server(enum="models"))]
