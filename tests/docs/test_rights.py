"""The table of Kubernetes' rights: nothing that the API server judges later, or that is left out of an answer, is left unsaid."""

from typing import Any, get_args

import msgspec

from docs.parts import rights
from docs.parts.api import operations
from trueup.model.refs import ObjectRef

OF_APPS_ALONE = {"timeline.list"}
"""Whose answers name Apps and no object of theirs."""


def test_each_operation_on_an_object_says_what_the_api_server_judges() -> None:
    assert not [one.id for one in rights.missing()]
    assert rights.AS_THE_PERSON.keys() <= {one.id for one in operations()}


def test_each_answer_that_names_objects_says_for_whom() -> None:
    """It has to ask `Call.sight`: whoever may see an App may not see each of its objects."""
    naming = {one.id for one in operations() if one.answer is not None and _names_objects(one.answer, set())}
    assert naming > {"apps.plan", "apps.record"}
    assert not naming - rights.AS_THE_PERSON.keys() - OF_APPS_ALONE


def _names_objects(shape: Any, seen: set[Any]) -> bool:
    if shape is ObjectRef:
        return True
    if isinstance(shape, type) and issubclass(shape, msgspec.Struct):
        if shape in seen:
            return False
        seen.add(shape)
        return any(_names_objects(field.type, seen) for field in msgspec.structs.fields(shape))
    return any(_names_objects(part, seen) for part in get_args(shape))
