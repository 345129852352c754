"""What names a record on the command line: its key, or the id that the API shows."""

from crm_framework.engine.errors import RequestError
from crm_framework.engine.ids import decode_key


def key_in(text: str, type_name: str) -> str:
    """The key in an id of the API for a record of that type; any other text as it is, for others to judge."""
    try:
        return decode_key(text, type_name)
    except RequestError:
        return text
