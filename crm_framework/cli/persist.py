"""`crm persist`: makes the file of persisted operations out of GraphQL documents."""

from pathlib import Path

import click
import orjson

from crm_framework.cli.running import settings_of
from crm_framework.errors import CrmError, ErrorCode

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("persist")
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option("--output", default=Path("operations.json"), show_default=True, type=FILE)
@click.option("--keep", is_flag=True, help="Keep the documents that the output has, for clients in use.")
@click.pass_context
def command(context: click.Context, files: tuple[Path, ...], output: Path, keep: bool) -> None:
    """Writes the documents in FILES, by their ids, for the setting persisted_operations.

    Each file is one document, with the fragments that it uses; its id is the SHA-256 digest of the file.
    All are checked against the schema of the enabled plugins first; nothing is written if one does not fit.
    """
    from crm_framework.hooks.discovery import load_plugins
    from crm_framework.schema.core import compose_schema
    from crm_framework.server.persisted import check, document_id, read_manifest
    from crm_framework.settings_file import write_atomically

    schema = compose_schema(load_plugins(settings_of(context))).schema
    found: dict[str, str] = {}
    if keep and output.exists():
        found = read_manifest(output)
        for identifier, text in found.items():
            check(schema, text, f"{output}: {identifier}")
    lines = []
    for file in files:
        text = _read(file)
        check(schema, text, str(file))
        found[document_id(text)] = text
        lines.append(f"{document_id(text)}  {file}")
    try:
        write_atomically(output, orjson.dumps(found, option=orjson.OPT_INDENT_2).decode() + "\n")
    except OSError as error:
        raise _wrong(f"{output} cannot be written: {error.strerror}.") from None
    for line in lines:
        click.echo(line)


def _read(file: Path) -> str:
    try:
        return file.read_bytes().decode()
    except OSError as error:
        raise _wrong(f"{file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise _wrong(f"{file} is not UTF-8 text.") from None


def _wrong(message: str) -> CrmError:
    return CrmError(ErrorCode.CONFIGURATION, message)
