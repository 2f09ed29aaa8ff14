"""Trees of containers: taken apart into leaves and a shape, mapped, put together again.

A node is a container whose exact class is registered (tuple, list, dict, OrderedDict, defaultdict, deque, named tuples and
what ``register_pytree_node`` adds); everything else, None too, is a leaf.

>>> leaves, spec = tree_flatten({"a": [1, 2], "b": None})
>>> leaves
[1, 2, None]
>>> tree_unflatten([3, 4, 5], spec)
{'a': [3, 4], 'b': 5}
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from lumbre import _C

T = TypeVar("T")
PyTree = Any
Context = Any
FlattenFunc = Callable[[Any], tuple[list[Any], Any]]
UnflattenFunc = Callable[[Iterable[Any], Any], Any]


# --- paths ------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class SequenceKey:
    """A place in a sequence."""

    idx: int

    def __str__(self) -> str:
        return f"[{self.idx!r}]"

    def get(self, sequence: Any) -> Any:
        """What stands there."""
        return sequence[self.idx]


@dataclasses.dataclass(frozen=True)
class MappingKey:
    """A key of a mapping."""

    key: Any

    def __str__(self) -> str:
        return f"[{self.key!r}]"

    def get(self, mapping: Any) -> Any:
        """What stands there."""
        return mapping[self.key]


@dataclasses.dataclass(frozen=True)
class GetAttrKey:
    """An attribute's name."""

    name: str

    def __str__(self) -> str:
        return f".{self.name}"

    def get(self, obj: Any) -> Any:
        """What stands there."""
        return getattr(obj, self.name)


KeyEntry = SequenceKey | MappingKey | GetAttrKey | Any
KeyPath = tuple[KeyEntry, ...]


def keystr(kp: KeyPath) -> str:
    """A path as it is written in Python, after the tree's name."""
    return "".join(map(str, kp))


def key_get(obj: Any, kp: KeyPath) -> Any:
    """What a path leads to."""
    for key in kp:
        obj = key.get(obj)
    return obj


# --- the kinds of nodes -----------------------------------------------------------------------------------------------


class NodeDef(NamedTuple):
    """How a class of containers is taken apart and put together."""

    type: Any
    flatten_fn: Callable
    unflatten_fn: Callable
    flatten_with_keys_fn: Callable | None


class _Text(NamedTuple):
    """What stands for a class in the text of a shape, and how contexts are written there and read; None: as JSON."""

    name: str
    write: Callable | None
    read: Callable | None


SUPPORTED_NODES: dict[Any, NodeDef] = {}
_TEXTS: dict[Any, _Text] = {}
_CLASSES: dict[str, Any] = {}


def register_pytree_node(
    cls: type,
    flatten_fn: Callable,
    unflatten_fn: Callable,
    *,
    serialized_type_name: str | None = None,
    to_dumpable_context: Callable | None = None,
    from_dumpable_context: Callable | None = None,
    flatten_with_keys_fn: Callable | None = None,
) -> None:
    """Makes the objects of exactly this class nodes. ``flatten_fn(obj)`` gives ``(children, context)``,
    ``unflatten_fn(children, context)`` the object. ``treespec_dumps`` writes the class as ``serialized_type_name`` and its
    context as ``to_dumpable_context`` gives it (without that, as JSON). ValueError for a class that is registered already,
    and for one of the two ways of a context without the other.
    """
    if cls in SUPPORTED_NODES:
        raise ValueError(f"{cls} is already registered as pytree node.")
    _register(cls, flatten_fn, unflatten_fn, flatten_with_keys_fn)
    _register_text(cls, serialized_type_name, to_dumpable_context, from_dumpable_context)


_register_pytree_node = register_pytree_node


def _register(cls: Any, flatten: Callable, unflatten: Callable, with_keys: Callable | None) -> None:
    SUPPORTED_NODES[cls] = NodeDef(cls, flatten, unflatten, with_keys)


def _deregister_pytree_node(cls: type) -> None:
    del SUPPORTED_NODES[cls]
    text = _TEXTS.pop(cls, None)
    if text is not None and _CLASSES.get(text.name) is cls:
        del _CLASSES[text.name]


def register_dataclass(
    cls: type,
    *,
    field_names: list[str] | None = None,
    drop_field_names: list[str] | None = None,
    serialized_type_name: str | None = None,
) -> None:
    """Makes the objects of a dataclass nodes, with its fields as children."""
    if field_names is None:
        if not dataclasses.is_dataclass(cls):
            raise ValueError(f"register_dataclass: {cls} is no dataclass: give field_names")
        field_names = [each.name for each in dataclasses.fields(cls) if each.init]
    names = [name for name in field_names if name not in (drop_field_names or ())]

    def flatten(obj: Any) -> tuple[list[Any], Any]:
        present = [name for name in names if getattr(obj, name) is not None]
        absent = [name for name in names if getattr(obj, name) is None]
        return [getattr(obj, name) for name in present], [present, absent]

    def unflatten(values: Iterable[Any], context: Any) -> Any:
        present, absent = context
        return cls(**dict(zip(present, values, strict=True)), **dict.fromkeys(absent))

    def with_keys(obj: Any) -> tuple[list[tuple[Any, Any]], Any]:
        values, context = flatten(obj)
        return [(GetAttrKey(name), value) for name, value in zip(context[0], values, strict=True)], context

    register_pytree_node(
        cls, flatten, unflatten, serialized_type_name=serialized_type_name, flatten_with_keys_fn=with_keys
    )


def _of_sequence(context: Callable[[Any], Any]) -> tuple[Callable, Callable]:
    def flatten(obj: Any) -> tuple[list[Any], Any]:
        return list(obj), context(obj)

    def with_keys(obj: Any) -> tuple[list[tuple[Any, Any]], Any]:
        return [(SequenceKey(i), value) for i, value in enumerate(obj)], context(obj)

    return flatten, with_keys


def _of_mapping(context: Callable[[Any], Any]) -> tuple[Callable, Callable]:
    def flatten(obj: Any) -> tuple[list[Any], Any]:
        return list(obj.values()), context(obj)

    def with_keys(obj: Any) -> tuple[list[tuple[Any, Any]], Any]:
        return [(MappingKey(key), value) for key, value in obj.items()], context(obj)

    return flatten, with_keys


def _named_with_keys(obj: Any) -> tuple[list[tuple[Any, Any]], Any]:
    return [(GetAttrKey(name), getattr(obj, name)) for name in obj._fields], type(obj)


def _list_unflatten(values: Iterable[Any], context: Any) -> list:
    return list(values)


def _tuple_unflatten(values: Iterable[Any], context: Any) -> tuple:
    return tuple(values)


def _dict_unflatten(values: Iterable[Any], context: Any) -> dict:
    return dict(zip(context, values, strict=True))


# Programs register classes of their own with these.
_list_flatten, _list_flatten_with_keys = _tuple_flatten, _tuple_flatten_with_keys = _of_sequence(lambda obj: None)
_dict_flatten, _dict_flatten_with_keys = _of_mapping(list)


def _register_text(cls: Any, name: str | None, write: Callable | None = None, read: Callable | None = None) -> None:
    if (write is None) != (read is None):
        raise ValueError(f"Both to_dumpable_context and from_dumpable_context for {cls} must be None or registered.")
    if name is not None:
        _TEXTS[cls], _CLASSES[name] = _Text(name, write, read), cls


def _register_namedtuple(cls: type, *, serialized_type_name: str) -> None:
    """Lets ``treespec_dumps`` write the named tuples of a class under this name."""
    _register_text(cls, serialized_type_name)


def _write_named(cls: type) -> str:
    if cls not in _TEXTS:
        raise NotImplementedError(
            f"Can't serialize TreeSpec of namedtuple class {cls}: register its name with `_register_namedtuple`."
        )
    return _TEXTS[cls].name


def _read_named(name: str) -> Any:
    if name not in _CLASSES:
        raise NotImplementedError(f"Can't deserialize TreeSpec of namedtuple class {name}: the name is not registered.")
    return _CLASSES[name]


def _write_default(context: list[Any]) -> dict[str, Any]:
    factory, keys = context
    return {
        "default_factory_module": factory.__module__,
        "default_factory_name": factory.__qualname__,
        "dict_context": keys,
    }


def _read_default(context: dict[str, Any]) -> list[Any]:
    return [_named(context["default_factory_module"], context["default_factory_name"]), context["dict_context"]]


def _named(module: str, name: str) -> Any:
    """What stands in a module under a name with dots."""
    from functools import reduce
    from importlib import import_module

    return reduce(getattr, name.split("."), import_module(module))


def _register_own() -> None:
    _register(tuple, _tuple_flatten, _tuple_unflatten, _tuple_flatten_with_keys)
    _register(list, _list_flatten, _list_unflatten, _list_flatten_with_keys)
    _register(_C.Size, _tuple_flatten, lambda values, _: _C.Size(values), _tuple_flatten_with_keys)
    flatten, _ = _of_sequence(type)
    _register(namedtuple, flatten, lambda values, kind: kind(*values), _named_with_keys)
    flatten, with_keys = _of_sequence(lambda obj: obj.maxlen)
    _register(deque, flatten, lambda values, most: deque(values, maxlen=most), with_keys)
    _register(dict, _dict_flatten, _dict_unflatten, _dict_flatten_with_keys)
    _register(
        OrderedDict,
        _dict_flatten,
        lambda values, keys: OrderedDict(zip(keys, values, strict=True)),
        _dict_flatten_with_keys,
    )
    flatten, with_keys = _of_mapping(lambda obj: [obj.default_factory, list(obj)])
    _register(
        defaultdict,
        flatten,
        lambda values, context: defaultdict(context[0], zip(context[1], values, strict=True)),
        with_keys,
    )
    for kind in (tuple, list, dict, OrderedDict, deque):
        _register_text(kind, f"{kind.__module__}.{kind.__name__}")
    _register_text(_C.Size, "torch.Size")
    _register_text(namedtuple, "collections.namedtuple", _write_named, _read_named)
    _register_text(defaultdict, "collections.defaultdict", _write_default, _read_default)


_register_own()
BUILTIN_TYPES = {tuple, list, dict, namedtuple, OrderedDict, defaultdict, deque}
STANDARD_DICT_TYPES = {dict, OrderedDict, defaultdict}


def is_namedtuple(obj: object | type) -> bool:
    """Whether this is a named tuple, or the class of one."""
    return is_namedtuple_class(obj if isinstance(obj, type) else type(obj))


def is_namedtuple_class(cls: type) -> bool:
    """Whether this is the class of a named tuple."""
    fields = getattr(cls, "_fields", None)
    return isinstance(cls, type) and issubclass(cls, tuple) and isinstance(fields, tuple)


def is_namedtuple_instance(obj: object) -> bool:
    """Whether this is a named tuple."""
    return is_namedtuple_class(type(obj))


def is_structseq_class(cls: type) -> bool:
    """Whether this is the class of an operator's result with named fields."""
    return isinstance(cls, type) and issubclass(cls, tuple) and hasattr(cls, "n_sequence_fields")


def is_structseq_instance(obj: object) -> bool:
    """Whether this is an operator's result with named fields."""
    return is_structseq_class(type(obj))


def is_structseq(obj: object | type) -> bool:
    """Whether this is an operator's result with named fields, or the class of one."""
    return is_structseq_class(obj if isinstance(obj, type) else type(obj))


def _node_of(obj: Any) -> NodeDef | None:
    kind = type(obj)
    found = SUPPORTED_NODES.get(kind)
    if found is None and issubclass(kind, tuple):
        if is_structseq_class(kind):
            flatten, with_keys = _of_sequence(lambda obj: None)
            found = NodeDef(kind, flatten, lambda values, _: kind(values), with_keys)
        elif is_namedtuple_class(kind):
            found = SUPPORTED_NODES[namedtuple]
    return found


def _get_node_type(tree: Any) -> Any:
    """What a node is looked up by among ``SUPPORTED_NODES``: its class; of a named tuple, ``namedtuple``."""
    kind = type(tree)
    return namedtuple if kind not in SUPPORTED_NODES and is_namedtuple_class(kind) else kind


_is_namedtuple_instance = is_namedtuple_instance


# --- shapes -----------------------------------------------------------------------------------------------------------


class TreeSpec:
    """The shape of a tree: the class of its root, what that needs beside its children, and their shapes."""

    __slots__ = ("_children", "_node", "context", "num_children", "num_leaves", "num_nodes", "type")
    num_leaves: int
    num_nodes: int

    def __init__(self, type: Any, context: Any, children_specs: list[TreeSpec], _node: NodeDef | None = None) -> None:
        self.type = type
        self.context = context
        self._children = children_specs
        self._node = _node or SUPPORTED_NODES.get(type)
        self.num_nodes = 1 + sum(each.num_nodes for each in children_specs)
        self.num_leaves = sum(each.num_leaves for each in children_specs) if type is not None else 1
        self.num_children = len(children_specs)

    @property
    def children_specs(self) -> list[TreeSpec]:
        """The shapes of the children."""
        return self._children

    def children(self) -> list[TreeSpec]:
        """The shapes of the children."""
        return list(self._children)

    def child(self, index: int) -> TreeSpec:
        """The shape of one child."""
        return self._children[index]

    def is_leaf(self) -> bool:
        """Whether this is one leaf."""
        return self.type is None

    def __repr__(self, indent: int = 0) -> str:
        if self.is_leaf():
            return "*"
        start = f"TreeSpec({self.type.__name__}, {self.context}, ["
        indent += 2
        parts = [each.__repr__(indent) for each in self._children]
        return start + f",\n{' ' * indent}".join(parts) + "])"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TreeSpec):
            return NotImplemented
        mine, theirs = (self.type, self.context, self._children), (other.type, other.context, other._children)
        return self is other or mine == theirs

    def __hash__(self) -> int:
        context = self.context
        if self.type is defaultdict:
            context = (context[0], tuple(context[1]))
        elif isinstance(context, list):
            context = tuple(context)
        return hash((self.type, context, tuple(self._children)))

    def flatten_up_to(self, tree: Any) -> list[Any]:
        """The parts of a tree where this one has its leaves; ValueError where it is built in another way."""
        found: list[Any] = []
        self._gather(tree, found)
        return found

    def _gather(self, tree: Any, found: list[Any]) -> None:
        if self.is_leaf():
            found.append(tree)
            return
        node = _node_of(tree)
        kind = None if node is None else node.type
        if kind is not self.type:
            raise ValueError(f"Node type mismatch; expected {self.type!r}, but got {type(tree)!r}.")
        assert node is not None
        children, context = node.flatten_fn(tree)
        if len(children) != self.num_children:
            raise ValueError(f"Node arity mismatch; expected {self.num_children}, but got {len(children)}.")
        if self.type in STANDARD_DICT_TYPES:
            keys = self.context[1] if self.type is defaultdict else self.context
            if tree.keys() != set(keys):
                raise ValueError(f"Node keys mismatch; expected {keys!r}, but got {list(tree)!r}.")
            children = [tree[key] for key in keys]
        elif context != self.context:
            raise ValueError(f"Node context mismatch for node type {self.type!r}; {self.context!r} and {context!r}.")
        for spec, child in zip(self._children, children, strict=True):
            spec._gather(child, found)

    def unflatten(self, leaves: Iterable[Any]) -> Any:
        """The tree of this shape with these leaves; ValueError for another number of them."""
        leaves = list(leaves)
        if len(leaves) != self.num_leaves:
            raise ValueError(
                f"treespec.unflatten(leaves): `leaves` has length {len(leaves)} but the spec refers to a pytree that "
                f"holds {self.num_leaves} items ({self})."
            )
        return self._build(iter(leaves))

    def _build(self, leaves: Iterator[Any]) -> Any:
        if self.is_leaf():
            return next(leaves)
        assert self._node is not None
        return self._node.unflatten_fn([each._build(leaves) for each in self._children], self.context)


class LeafSpec(TreeSpec):
    """The shape of one leaf."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(None, None, [])


_LEAF_SPEC = LeafSpec()
PyTreeSpec = TreeSpec


def treespec_leaf() -> TreeSpec:
    """The shape of one leaf."""
    return _LEAF_SPEC


def treespec_tuple(iterable: Iterable[TreeSpec] = (), /) -> TreeSpec:
    """The shape of a tuple of such parts."""
    return TreeSpec(tuple, None, list(iterable))


def treespec_dict(
    mapping: Mapping[Any, TreeSpec] | Iterable[tuple[Any, TreeSpec]] = (), /, **kwargs: TreeSpec
) -> TreeSpec:
    """The shape of a dictionary of such parts."""
    parts = dict(mapping, **kwargs)
    return TreeSpec(dict, list(parts), list(parts.values()))


# --- shapes as text ---------------------------------------------------------------------------------------------------


def treespec_dumps(treespec: TreeSpec, protocol: int | None = None) -> str:
    """The shape of a tree as text, the same as PyTorch's; ``treespec_loads`` reads it.

    TypeError for what is no shape and for contexts that are no JSON, ValueError for a protocol other than 1,
    NotImplementedError for classes without a registered name.

    >>> treespec_dumps(tree_structure([1]))
    '[1, {"type": "builtins.list", "context": "null", "children_spec": [{"type": null, "context": null, "children_spec": []}]}]'
    """
    import json

    if not isinstance(treespec, TreeSpec):
        raise TypeError(f"Expected `treespec` to be an instance of PyTreeSpec but got item of type {type(treespec)}.")
    _check_protocol(1 if protocol is None else protocol)
    return json.dumps([1, _written(treespec)])


def treespec_loads(serialized: str) -> TreeSpec:
    """The shape that ``treespec_dumps`` wrote; only from a trusted source, as the text may name modules to import.

    ValueError for another protocol, NotImplementedError for names that are not registered.

    >>> treespec_loads(treespec_dumps(tree_structure({"a": (1, 2)})))
    TreeSpec(dict, ['a'], [TreeSpec(tuple, None, [*,
        *])])
    """
    import json

    protocol, tree = json.loads(serialized)
    _check_protocol(protocol)
    return _read(tree)


def _check_protocol(protocol: Any) -> None:
    if protocol != 1:
        raise ValueError(f"Unknown protocol {protocol}. Available protocols: [1]")


def _written(spec: TreeSpec) -> dict[str, Any]:
    if spec.is_leaf():
        return {"type": None, "context": None, "children_spec": []}
    text = _TEXTS.get(spec.type)
    if text is None:
        raise NotImplementedError(
            f"{spec.type} has no name in text: register it with a `serialized_type_name` (`register_pytree_node`)."
        )
    context = text.write(spec.context) if text.write else _as_json(spec.context)
    return {"type": text.name, "context": context, "children_spec": [_written(each) for each in spec.children_specs]}


def _read(tree: dict[str, Any]) -> TreeSpec:
    name = tree["type"]
    if name is None and not tree["children_spec"]:
        return _LEAF_SPEC
    if name not in _CLASSES:
        raise NotImplementedError(f"Deserializing {name} in pytree is not registered.")
    cls = _CLASSES[name]
    read = _TEXTS[cls].read or _of_json
    return TreeSpec(cls, read(tree["context"]), [_read(each) for each in tree["children_spec"]])


def _as_json(context: Any) -> str:
    import json
    from enum import Enum

    def member(value: Any) -> dict[str, Any]:
        if not isinstance(value, Enum):
            raise TypeError(f"{type(value)} is no JSON")
        kind = type(value)
        return {"__enum__": True, "fqn": f"{kind.__module__}:{kind.__qualname__}", "name": value.name}

    try:
        return json.dumps(context, default=member)
    except TypeError as error:
        raise TypeError(
            "Unable to serialize context: it is no JSON; register the class with `to_dumpable_context`."
        ) from error


def _of_json(text: str) -> Any:
    import json

    def member(value: dict[str, Any]) -> Any:
        return _named(*value["fqn"].split(":"))[value["name"]] if "__enum__" in value else value

    return json.loads(text, object_hook=member)


# --- taking apart and putting together --------------------------------------------------------------------------------

IsLeaf = Callable[[Any], bool] | None


def _split(tree: Any, is_leaf: IsLeaf) -> tuple[NodeDef, list[Any], Any] | None:
    if is_leaf is not None and is_leaf(tree):
        return None
    node = _node_of(tree)
    if node is None:
        return None
    children, context = node.flatten_fn(tree)
    return node, list(children), context


def tree_is_leaf(tree: Any, is_leaf: IsLeaf = None) -> bool:
    """Whether this is a leaf, and no node."""
    return (is_leaf is not None and is_leaf(tree)) or _node_of(tree) is None


def tree_flatten(tree: Any, is_leaf: IsLeaf = None) -> tuple[list[Any], TreeSpec]:
    """The leaves, from left to right, and the shape. ``is_leaf`` may stop at what would be a node."""
    leaves: list[Any] = []

    def walk(part: Any) -> TreeSpec:
        parts = _split(part, is_leaf)
        if parts is None:
            leaves.append(part)
            return _LEAF_SPEC
        node, children, context = parts
        return TreeSpec(node.type, context, [walk(each) for each in children], node)

    spec = walk(tree)
    return leaves, spec


def tree_unflatten(leaves: Iterable[Any], treespec: TreeSpec) -> Any:
    """The tree of a shape with these leaves; ValueError for another number of them."""
    if not isinstance(treespec, TreeSpec):
        raise TypeError(
            f"tree_unflatten(leaves, treespec): Expected `treespec` to be instance of TreeSpec but got {type(treespec)}."
        )
    return treespec.unflatten(leaves)


def tree_iter(tree: Any, is_leaf: IsLeaf = None) -> Iterator[Any]:
    """The leaves, one by one."""
    parts = _split(tree, is_leaf)
    if parts is None:
        yield tree
        return
    for child in parts[1]:
        yield from tree_iter(child, is_leaf)


def tree_leaves(tree: Any, is_leaf: IsLeaf = None) -> list[Any]:
    """The leaves, from left to right."""
    return list(tree_iter(tree, is_leaf))


def arg_tree_leaves(*args: Any, **kwargs: Any) -> list[Any]:
    """The leaves of all arguments."""
    return tree_leaves((args, kwargs))


def tree_structure(tree: Any, is_leaf: IsLeaf = None) -> TreeSpec:
    """The shape."""
    return tree_flatten(tree, is_leaf)[1]


def tree_map(func: Callable, tree: Any, *rests: Any, is_leaf: IsLeaf = None) -> Any:
    """The same tree with ``func(leaf, ...)`` for each leaf; further trees must be built alike, down to the leaves of the
    first.
    """
    leaves, spec = tree_flatten(tree, is_leaf)
    return spec.unflatten(list(map(func, leaves, *(spec.flatten_up_to(each) for each in rests))))


def tree_map_(func: Callable, tree: Any, *rests: Any, is_leaf: IsLeaf = None) -> Any:
    """Calls ``func`` with each leaf for what that does; the tree itself."""
    leaves, spec = tree_flatten(tree, is_leaf)
    deque(map(func, leaves, *(spec.flatten_up_to(each) for each in rests)), maxlen=0)
    return tree


def _chosen(which: Any) -> Callable[[Any], bool]:
    if isinstance(which, (type, tuple)) or type(which).__name__ == "UnionType":
        return lambda leaf: isinstance(leaf, which)
    if callable(which):
        return which
    raise TypeError("Argument must be a type, a tuple of types, or a callable.")


def map_only(type_or_types_or_pred: Any, /) -> Callable[[Callable], Callable[[Any], Any]]:
    """Decorates a function so that it gives back what is not of a class (or classes, or does not pass a test)."""
    fits = _chosen(type_or_types_or_pred)

    def wrapper(func: Callable) -> Callable[[Any], Any]:
        return lambda leaf: func(leaf) if fits(leaf) else leaf

    return wrapper


def tree_map_only(type_or_types_or_pred: Any, /, func: Callable, tree: Any, is_leaf: IsLeaf = None) -> Any:
    """``tree_map`` for the leaves of a class (or classes, or that pass a test); the others stay."""
    return tree_map(map_only(type_or_types_or_pred)(func), tree, is_leaf=is_leaf)


def tree_map_only_(type_or_types_or_pred: Any, /, func: Callable, tree: Any, is_leaf: IsLeaf = None) -> Any:
    """``tree_map_`` for the leaves of a class (or classes, or that pass a test)."""
    return tree_map_(map_only(type_or_types_or_pred)(func), tree, is_leaf=is_leaf)


def tree_all(pred: Callable, tree: Any, is_leaf: IsLeaf = None) -> bool:
    """Whether all leaves pass a test."""
    return all(map(pred, tree_iter(tree, is_leaf)))


def tree_any(pred: Callable, tree: Any, is_leaf: IsLeaf = None) -> bool:
    """Whether a leaf passes a test."""
    return any(map(pred, tree_iter(tree, is_leaf)))


def tree_all_only(type_or_types: Any, /, pred: Callable, tree: Any, is_leaf: IsLeaf = None) -> bool:
    """Whether all leaves of a class pass a test."""
    return all(pred(leaf) for leaf in tree_iter(tree, is_leaf) if isinstance(leaf, type_or_types))


def tree_any_only(type_or_types: Any, /, pred: Callable, tree: Any, is_leaf: IsLeaf = None) -> bool:
    """Whether a leaf of a class passes a test."""
    return any(pred(leaf) for leaf in tree_iter(tree, is_leaf) if isinstance(leaf, type_or_types))


# --- with paths -------------------------------------------------------------------------------------------------------


def _with_paths(path: KeyPath, tree: Any, is_leaf: IsLeaf) -> Iterator[tuple[KeyPath, Any]]:
    node = None if is_leaf is not None and is_leaf(tree) else _node_of(tree)
    if node is None:
        yield path, tree
        return
    if node.flatten_with_keys_fn is None:
        raise ValueError(
            f"Did not find a flatten_with_keys_fn for type: {node.type}. Please pass a flatten_with_keys_fn."
        )
    for key, child in node.flatten_with_keys_fn(tree)[0]:
        yield from _with_paths((*path, key), child, is_leaf)


def tree_leaves_with_path(tree: Any, is_leaf: IsLeaf = None) -> list[tuple[KeyPath, Any]]:
    """The leaves, each with the path that leads to it."""
    return list(_with_paths((), tree, is_leaf))


def tree_flatten_with_path(tree: Any, is_leaf: IsLeaf = None) -> tuple[list[tuple[KeyPath, Any]], TreeSpec]:
    """The leaves, each with the path that leads to it, and the shape."""
    return tree_leaves_with_path(tree, is_leaf), tree_structure(tree, is_leaf)


def tree_map_with_path(func: Callable, tree: Any, *rests: Any, is_leaf: IsLeaf = None) -> Any:
    """``tree_map`` of ``func(path, leaf, ...)``."""
    found, spec = tree_flatten_with_path(tree, is_leaf)
    others = (spec.flatten_up_to(each) for each in rests)
    return spec.unflatten([func(*both, *rest) for both, *rest in zip(found, *others, strict=True)])


def _broadcast_to_and_flatten(tree: Any, treespec: TreeSpec, is_leaf: IsLeaf = None) -> list[Any] | None:
    """A leaf of ``tree`` for each leaf of a shape, where one may stand for a whole branch; None where they differ."""
    if tree_is_leaf(tree, is_leaf):
        return [tree] * treespec.num_leaves
    node = _node_of(tree)
    if node is None or treespec.is_leaf() or node.type is not treespec.type:
        return None
    children, context = node.flatten_fn(tree)
    if len(children) != treespec.num_children or context != treespec.context:
        return None
    found: list[Any] = []
    for child, spec in zip(children, treespec._children, strict=True):
        below = _broadcast_to_and_flatten(child, spec, is_leaf)
        if below is None:
            return None
        found += below
    return found


_is_leaf = tree_is_leaf
