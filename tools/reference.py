"""reference.py FILE: writes the public names down, with their signatures and docstrings, by subject.

Read from the source: what is installed beside the package, and where, makes no difference.
"""

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import crm_framework
import crm_framework.testing

SUBJECTS = {
    "Plugin and hooks": "API_VERSION Plugin hookimpl Permission PUBLIC INTERNAL InteractionKind Channel"
    " TimelineEntry DialectSQL Handling Job JobRun Window Figure Figures Signal Signals Signalled"
    " Route RouteRequest RouteAnswer"
    " run_command CommandRun",
    "GraphQL declarations": "SchemaParts Node node record Through column computed batch Batch root reference"
    " children one connection Connection fields_of describe Customer Interaction Staff Money BigInt",
    "Loading rows": "load load_groups load_where Reader Fragment among decode_key encode_id",
    "Filters and orders": "FilterSpec Member FilterContext Orders OrderField OrderDirection KeptList"
    " CUSTOMER_FILTER filter_member filter_condition matching_customers AttributeFilter attribute_condition"
    " found_customers",
    "Mutations": "mutation Own payload required optional given expected chosen key_of keys_of optional_key"
    " retry_key renamed MoneyInput",
    "Events": "Event CustomerCreated CustomerUpdated CustomerConverted CustomerLapsed CustomerArchived"
    " CustomerTagged CustomersMerged CustomerErased OwnerAssigned ConsentChanged InteractionLogged"
    " InteractionUpdated PurchaseRecorded RefundRecorded SettingChanged MessageQueued MessageSent"
    " MessageFailed",
    "Domain functions": "UnitOfWork live_customer live_customers LiveCustomer Hold create_customer"
    " NewCustomer NewContactPoint tag_customers segment_members customer_pasts CustomerPast CustomerThen"
    " resolve_id resolve_ids responsible"
    " responsibles"
    " contact_decisions ContactDecision log_interaction update_interaction NewInteraction record_purchase"
    " NewPurchase NewLine record_refund NewRefund send_message send_messages OutgoingMessage QueuedMessage"
    " currency_code format_minor time_zone check_kind check_channel usual_channel check_event_type fold words"
    " without_controls stream_safe"
    " new_id now parse_time",
    "Errors": "CrmError ErrorCode",
    "Settings": "PluginSettings Secret Settings load_settings sign_link open_link",
    "Testing": "CrmClient CommandResult PluginConformance deliver_events frozen queued_messages run_jobs"
    " waiting",
}

CONSTRUCTED = {"CrmError", "DialectSQL"}
"""Classes with an `__init__` that plugins call; those of the others are the framework's affair."""

HEAD = """\
# Reference

Every name that a plugin may import: those of `crm_framework`, and under [Testing](#testing) those of \
`crm_framework.testing`. Written by `make reference` from the source; what it promises is in \
[Compatibility](compatibility.md). The hooks are described in [Hooks](hooks.md), the fixtures for tests in \
[Testing a plugin](testing.md), the fields of the API in [schema.graphql](../schema.graphql).
"""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def page() -> str:
    parts = [HEAD]
    for subject, names in SUBJECTS.items():
        parts.append(f"## {subject}\n")
        package = crm_framework.testing if subject == "Testing" else crm_framework
        parts += [section(package.__name__, package._HOME, name) for name in names.split()]
    return "\n".join(parts)


def section(package: str, homes: dict[str, str], name: str) -> str:
    """Heading, signature, documentation and members of one name."""
    module = f"{package}.{homes[name]}" if name in homes else package
    found = definition(module, name)
    if isinstance(found, ast.ClassDef):
        lines, members = [head_of(found)], list(members_of(getattr(importlib.import_module(module), name)))
    elif isinstance(found, Function):
        lines, members = [*context_manager(found), signature(found)], []
    else:
        lines, members = [ast.unparse(found)], []
    text = [f"### `{name}`", "", "```python", *map(quoted, lines), "```", "", documentation(module, name), ""]
    return "\n".join([*text, *members, *([""] if members else [])])


def documentation(module: str, name: str) -> str:
    """The docstring that stands in the source. Raises `LookupError` if there is none."""
    found = definition(module, name)
    if isinstance(found, ast.ClassDef | Function):
        text = ast.get_docstring(found)
    else:
        text = after(body_of(module), found)
    if not text:
        raise LookupError(f"{name} has no docstring of its own in {module}")
    return text


def definition(module: str, name: str) -> ast.stmt:
    for statement in body_of(module):
        if isinstance(statement, ast.ClassDef | Function) and statement.name == name:
            return statement
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == name:
            return statement
    raise LookupError(f"{name} is not defined in {module}")


@cache
def body_of(module: str) -> list[ast.stmt]:
    return ast.parse(inspect.getsource(importlib.import_module(module))).body


def after(body: list[ast.stmt], statement: ast.stmt) -> str:
    """The string that documents an assignment: the one that follows it."""
    following = body[body.index(statement) + 1 :][:1]
    if following and isinstance(following[0], ast.Expr) and isinstance(following[0].value, ast.Constant):
        return inspect.cleandoc(str(following[0].value.value))
    return ""


def signature(function: Function) -> str:
    """On one line if it fits, otherwise with a line for each parameter."""
    keyword = "async def" if isinstance(function, ast.AsyncFunctionDef) else "def"
    answer = f" -> {ast.unparse(function.returns)}" if function.returns else ""
    line = f"{keyword} {function.name}({ast.unparse(function.args)}){answer}"
    return line if len(line) <= 110 else f"{keyword} {function.name}(\n{parameters(function.args)}){answer}"


def parameters(arguments: ast.arguments) -> str:
    """One a line. `ast.unparse` writes one parameter at a time, so that commas inside a type stay whole."""
    none: list[ast.expr | None] = [None] * (len(arguments.args) - len(arguments.defaults))
    written = [one(*pair) for pair in zip(arguments.args, [*none, *arguments.defaults], strict=True)]
    if arguments.vararg:
        written.append(f"*{ast.unparse(arguments.vararg)}")
    elif arguments.kwonlyargs:
        written.append("*")
    written += [one(*pair) for pair in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    if arguments.kwarg:
        written.append(f"**{ast.unparse(arguments.kwarg)}")
    return "".join(f"    {each},\n" for each in written)


def one(argument: ast.arg, default: ast.expr | None) -> str:
    return ast.unparse(argument) + (f" = {ast.unparse(default)}" if default else "")


def head_of(found: ast.ClassDef) -> str:
    bases = [ast.unparse(base) for base in found.bases if ast.unparse(base) != "Touch"]  # shown in full
    head = f"class {found.name}({', '.join(bases)})" if bases else f"class {found.name}"
    if found.name not in CONSTRUCTED:
        return head
    [made] = [one for one in found.body if isinstance(one, Function) and one.name == "__init__"]
    return f"{head}\n\n{found.name}(\n{parameters(made.args).removeprefix('    self,' + chr(10))})"


def members_of(found: type) -> Iterator[str]:
    """A line for each attribute and method, those of bases in the package first, each in its newest form."""
    lines: dict[str, str] = {}
    for owner in reversed(found.__mro__):
        if owner.__module__.startswith("crm_framework."):
            written = definition(owner.__module__, owner.__name__)
            assert isinstance(written, ast.ClassDef)
            for name, shown, text in attributes(written.body):
                lines[name] = f"- `{quoted(shown)}`" + (f": {flat(text)}" if text else "")
    yield from lines.values()


def attributes(body: list[ast.stmt]) -> Iterator[tuple[str, str, str]]:
    """Name, form and documentation of what a class body, or its `__init__`, makes public."""
    for statement in body:
        if isinstance(statement, Function):
            text = ast.get_docstring(statement)
            if statement.name == "__init__":
                yield from assigned(statement)
            elif text and not statement.name.startswith("_"):
                decorators = [ast.unparse(each) for each in statement.decorator_list]
                returns = ast.unparse(statement.returns) if statement.returns else "Any"
                line = f"{statement.name}: {returns}" if "property" in decorators else one_line(statement)
                line = " ".join([*context_manager(statement), line])
                yield statement.name, line, text
        elif isinstance(statement, ast.AnnAssign | ast.Assign):
            target = statement.target if isinstance(statement, ast.AnnAssign) else statement.targets[0]
            name = ast.unparse(target)
            if not name.startswith("_"):
                default, told = value_of(statement.value)
                kind = (
                    f": {ast.unparse(statement.annotation)}" if isinstance(statement, ast.AnnAssign) else ""
                )
                yield name, f"{name}{kind}{default}", after(body, statement) or told


def assigned(made: Function) -> Iterator[tuple[str, str, str]]:
    """The attributes that `__init__` sets, with the types of the parameters that they are set from."""
    kinds = {each.arg: each.annotation for each in [*made.args.args, *made.args.kwonlyargs]}
    for statement in made.body:
        if not isinstance(statement, ast.AnnAssign | ast.Assign):
            continue
        target = statement.target if isinstance(statement, ast.AnnAssign) else statement.targets[0]
        if not isinstance(target, ast.Attribute) or target.attr.startswith("_"):
            continue
        kind = statement.annotation if isinstance(statement, ast.AnnAssign) else None
        if isinstance(statement.value, ast.Name):
            kind = kind or kinds.get(statement.value.id)
        shown = f"{target.attr}: {ast.unparse(kind)}" if kind else target.attr
        yield target.attr, shown, after(made.body, statement)


def value_of(value: ast.expr | None) -> tuple[str, str]:
    """How a default is shown, and the description that a field's declaration carries."""
    if not isinstance(value, ast.Call):
        return (f" = {ast.unparse(value)}" if value else ""), ""
    named = {each.arg: each.value for each in value.keywords}
    if isinstance(factory := named.get("default_factory"), ast.Name):
        return f" = {factory.id}()", ""
    texts = [named.get("description"), *reversed(value.args)]
    told = [each.value for each in texts if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    return "", told[0] if told else ""


def context_manager(function: Function) -> list[str]:
    """The decorator that makes it one: callers must know."""
    names = [ast.unparse(each) for each in function.decorator_list]
    return [f"@{name}" for name in names if name in ("contextmanager", "asynccontextmanager")]


def one_line(function: Function) -> str:
    return signature(function).replace("(\n    ", "(").replace(",\n)", ")").replace("\n    ", " ")


def quoted(code: str) -> str:
    """With double quotes, as the formatter has them, which looks into the page too."""
    return re.sub(r"'([^'\"]*)'", r'"\1"', code)


def flat(text: str) -> str:
    """The first paragraph, for a line of a list."""
    return " ".join(text.split("\n\n")[0].split())


def main(target: Path) -> None:
    target.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
