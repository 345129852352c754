"""What is selected under which key in one place of an answer, and whether more can be merged into it."""

from dataclasses import dataclass, field

from graphql import GraphQLNamedType, GraphQLObjectType, GraphQLOutputType, get_named_type, is_leaf_type


@dataclass
class Chosen:
    """One field under a key: what it is, with which arguments, and what is selected below it."""

    parent: GraphQLNamedType
    name: str
    arguments: str
    type: GraphQLOutputType
    below: "Scope"


@dataclass
class Scope:
    """The fields chosen at one place, by response key."""

    keys: dict[str, list[Chosen]] = field(default_factory=dict)

    def takes(self, key: str, other: Chosen) -> bool:
        """Whether the rule that fields can be merged holds with one more; stricter than the rule here and
        there.
        """
        for known in self.keys.get(key, ()):
            if str(known.type) != str(other.type):
                return False
            same = (known.name, known.arguments) == (other.name, other.arguments)
            apart = (
                isinstance(known.parent, GraphQLObjectType)
                and isinstance(other.parent, GraphQLObjectType)
                and known.parent is not other.parent
                and is_leaf_type(get_named_type(known.type))
            )
            if not (same or apart) or not known.below.takes_all(other.below):
                return False
        return True

    def takes_all(self, other: "Scope") -> bool:
        return all(self.takes(key, chosen) for key, many in other.keys.items() for chosen in many)

    def add(self, key: str, chosen: Chosen) -> None:
        self.keys.setdefault(key, []).append(chosen)

    def add_all(self, other: "Scope") -> None:
        for key, many in other.keys.items():
            self.keys.setdefault(key, []).extend(many)
