"""What the bodies of the native wire are made of.

Knows the types of fields that several bodies share, and how strictly all are read. Does not know
any body.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, model_validator
from pydantic_core import PydanticCustomError

from service.descriptions import of_server
from service.parameters import clean


class Body(BaseModel):
    """Unknown fields and other types are refused: what a client asks for is never passed over."""

    model_config = ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    @model_validator(mode="before")
    @classmethod
    def _whole_numbers(cls, fields: Any) -> Any:
        """JSON has one kind of number: 5.0 is as whole as 5."""
        if not isinstance(fields, dict):
            return fields
        return {
            name: int(value) if isinstance(value, float) and value.is_integer() else value
            for name, value in fields.items()
        }


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
