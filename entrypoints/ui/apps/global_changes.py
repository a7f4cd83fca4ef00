"""Find what a function changes of its module's globals, in its syntax tree.

The search prefers to miss a change to naming one that is sound: it passes over caches and models that are loaded when they
are missing, changes under a lock, and data under a key of one caller.
"""

import ast
import re
import types
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from threading import local
from typing import Any, Final

_CONTAINERS: Final = (dict, list, set, deque, bytearray)
_ADDING: Final = frozenset({"add", "append", "appendleft", "extend", "extendleft", "insert"})
_CHANGING: Final = _ADDING | {
    *("clear", "discard", "pop", "popitem", "popleft", "remove", "reverse", "setdefault", "sort"),
    *("update", "difference_update", "intersection_update", "symmetric_difference_update"),
}
"""Methods of containers that change them."""
_LEADING_IN: Final = frozenset({"get", "setdefault"})
"""Methods that return a part of a container."""
_OF_ONE_CALLER: Final = re.compile(r"session|user|request|uuid|account|email|(^|_)[sup]?id$", re.I)
"""Names in a key under which each caller has data of its own."""
_LOCK: Final = re.compile(r"(^|[._])r?lock", re.I)
_MISSES: Final = frozenset({"AttributeError", "IndexError", "KeyError", "LookupError", "NameError"})
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def bindings(body: Iterable[ast.stmt]) -> Iterator[tuple[str, int]]:
    """Yield the names that statements bind, each with its line."""
    for node in _in_this_scope(body):
        match node:
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
            ):
                yield name, node.lineno
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                yield name, node.lineno
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                yield name, node.lineno
            case ast.Import(names=imported) | ast.ImportFrom(names=imported):
                for alias in imported:
                    yield (alias.asname or alias.name).partition(".")[0], node.lineno


def _in_this_scope(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield the nodes and all below them, but not the insides of functions and classes."""
    for node in nodes:
        yield node
        if not isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            yield from _in_this_scope(ast.iter_child_nodes(node))


@dataclass(frozen=True, slots=True)
class _Scope:
    """What is known at one place of a function."""

    local: Set[str]
    declared: Mapping[str, int]
    """Names after `global`, with the line."""
    parts: Mapping[str, str]
    """Local names of parts of globals: `found = CACHE.get(key)`."""
    callers: Set[str]
    """Local names that belong to one caller: `key = request.session_hash`."""
    absent: Set[str] = frozenset()
    """Globals that have no value yet: `if MODEL is None:`."""
    unkeyed: Set[str] = frozenset()
    """Globals that have no value under a key: `if key not in CACHE:`."""

    def knowing(self, absent: Set[str], unkeyed: Set[str]) -> "_Scope":
        return replace(self, absent=self.absent | absent, unkeyed=self.unkeyed | unkeyed)


@dataclass(frozen=True, slots=True)
class Search:
    values: Mapping[str, Any]
    """The globals of the module, after its import."""

    def changes(self, node: Function, outer: Set[str]) -> Iterator[tuple[str, int]]:
        """Yield the names of globals that the function changes, each with the line of the change. `outer` are the names of
        the functions around it."""
        body: list[ast.stmt] = [ast.Expr(node.body)] if isinstance(node, ast.Lambda) else node.body
        inside = list(_in_this_scope(body))
        declared = {n: s.lineno for s in inside if isinstance(s, ast.Global) for n in s.names}
        bound = {part.arg for part in ast.walk(node.args) if isinstance(part, ast.arg)}
        bound |= outer | {name for name, _ in bindings(body)}
        parts, callers = dict[str, str](), set[str]()
        scope = _Scope(bound - set(declared), declared, parts, callers)
        for statement in inside:
            if isinstance(statement, ast.Assign | ast.NamedExpr):
                names = [
                    target.id for target in _targets(statement) if isinstance(target, ast.Name)
                ]
                if (root := self._root(statement.value, scope)) is not None:
                    parts.update(dict.fromkeys(names, root))
                if _is_of_one_caller(statement.value, callers):
                    callers.update(names)
        yield from self._block(body, scope)

    def _block(self, body: Sequence[ast.stmt], scope: _Scope) -> Iterator[tuple[str, int]]:
        for statement in body:
            yield from self._statement(statement, scope)
            if isinstance(statement, ast.If) and _leaves(statement.body):
                # What follows `if key in CACHE: return …` fills the cache.
                tested = self._tested(statement.test, scope)
                scope = scope.knowing(tested.present, tested.keyed)

    def _statement(self, statement: ast.stmt, scope: _Scope) -> Iterator[tuple[str, int]]:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from self.changes(statement, scope.local)
        elif isinstance(statement, ast.ClassDef | ast.Global):
            return
        elif isinstance(statement, ast.If):
            tested = self._tested(statement.test, scope)
            yield from self._expressions(statement.test, scope)
            yield from self._block(statement.body, scope.knowing(tested.absent, tested.unkeyed))
            yield from self._block(statement.orelse, scope.knowing(tested.present, tested.keyed))
        elif isinstance(statement, ast.Try):
            yield from self._block(statement.body, scope)
            for handler in statement.handlers:
                missed = self._named_in(statement.body, scope) if _is_a_miss(handler) else set()
                yield from self._block(handler.body, scope.knowing(missed, set()))
            yield from self._block([*statement.orelse, *statement.finalbody], scope)
        elif isinstance(statement, ast.With | ast.AsyncWith):
            if not any(self._is_lock(item.context_expr) for item in statement.items):
                for item in statement.items:
                    yield from self._expressions(item.context_expr, scope)
                yield from self._block(statement.body, scope)
        elif isinstance(statement, ast.For | ast.AsyncFor | ast.While):
            yield from self._expressions(
                statement.test if isinstance(statement, ast.While) else statement.iter, scope
            )
            yield from self._block([*statement.body, *statement.orelse], scope)
        elif isinstance(statement, ast.Match):
            yield from self._expressions(statement.subject, scope)
            for case in statement.cases:
                yield from self._block(case.body, scope)
        else:
            for target in _targets(statement):
                yield from self._target(target, scope)
            yield from self._expressions(statement, scope)

    def _target(self, target: ast.expr, scope: _Scope) -> Iterator[tuple[str, int]]:
        if isinstance(target, ast.Tuple | ast.List):
            for part in target.elts:
                yield from self._target(part, scope)
        elif isinstance(target, ast.Starred):
            yield from self._target(target.value, scope)
        elif isinstance(target, ast.Name):
            is_filled = target.id in scope.absent | scope.unkeyed
            if target.id in scope.declared and not is_filled:
                yield target.id, scope.declared[target.id]
        elif isinstance(target, ast.Subscript | ast.Attribute):
            yield from self._change(target, target, scope)

    def _expressions(self, node: ast.AST, scope: _Scope) -> Iterator[tuple[str, int]]:
        """Yield what the expressions in a node change by calling methods."""
        for child in _in_this_scope([node]):
            if isinstance(child, ast.Lambda):
                yield from self.changes(child, scope.local)
            elif isinstance(child, ast.Call) and _method(child) in _CHANGING:
                yield from self._change(child, child.func.value, scope)  # type: ignore[attr-defined]

    def _change(
        self, change: ast.expr, changed: ast.expr, scope: _Scope
    ) -> Iterator[tuple[str, int]]:
        """Yield the global of which a part is changed, unless that is sound."""
        name = self._root(changed, scope)
        if name is None:
            return
        if not isinstance(self.values.get(name), _CONTAINERS):
            is_itself = isinstance(changed, ast.Name)  # Methods of an author's own class.
            if is_itself or not self._is_of_own_class(self.values.get(name)):
                return
        is_adding = isinstance(change, ast.Call) and _method(change) in _ADDING
        is_filled = name in scope.absent or (name in scope.unkeyed and not is_adding)
        if not is_filled and not any(_is_of_one_caller(k, scope.callers) for k in _keys(change)):
            yield name, change.lineno

    def _root(self, node: ast.expr, scope: _Scope) -> str | None:
        """Return the global of which the expression is a part, as in `STORE["docs"].get(key)`."""
        while not isinstance(node, ast.Name):
            if isinstance(node, ast.Subscript | ast.Attribute):
                node = node.value
            elif isinstance(node, ast.Call) and _method(node) in _LEADING_IN:
                node = node.func
            else:
                return None
        return node.id if node.id in self.values and node.id not in scope.local else None

    def _is_of_own_class(self, value: Any) -> bool:
        """Return whether the value is an instance of a class of this module, or such a class."""
        kind = value if isinstance(value, type) else type(value)
        is_own = kind.__module__ == self.values.get("__name__") or kind is types.SimpleNamespace
        return is_own and not issubclass(kind, local)

    def _is_lock(self, node: ast.expr) -> bool:
        if _LOCK.search(ast.unparse(node)):
            return True
        value = self.values.get(node.id) if isinstance(node, ast.Name) else None
        return hasattr(value, "acquire") and hasattr(value, "release")

    def _named_in(self, body: Sequence[ast.stmt], scope: _Scope) -> set[str]:
        nodes = [node for statement in body for node in ast.walk(statement)]
        return {
            node.id for node in nodes if isinstance(node, ast.Name) and node.id not in scope.local
        }

    def _tested(self, test: ast.expr, scope: _Scope) -> "_Tested":
        found = _Tested(set(), set(), set(), set())
        self._test(test, scope, found)
        return found

    def _test(self, test: ast.expr, scope: _Scope, found: "_Tested") -> None:
        match test:
            case ast.BoolOp(values=values):
                for value in values:
                    self._test(value, scope, found)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                self._test(operand, scope, found.turned())
            case ast.NamedExpr(value=value):
                self._test(value, scope, found)
            case ast.Compare(left=_, ops=[ast.In() | ast.NotIn() as op], comparators=[right]):
                names = found.keyed if isinstance(op, ast.In) else found.unkeyed
                names |= self._tested_name(right, scope)
            case ast.Compare(left=left, ops=[op], comparators=[ast.Constant(value=None | 0)]):
                left = left.args[0] if _is_length(left) else left  # type: ignore[attr-defined]
                left = left.value if isinstance(left, ast.NamedExpr) else left
                names = found.absent if isinstance(op, ast.Is | ast.Eq) else found.present
                names |= self._tested_name(left, scope)
            case _:
                found.present.update(self._tested_name(test, scope))

    def _tested_name(self, node: ast.expr, scope: _Scope) -> set[str]:
        if isinstance(node, ast.Name) and node.id in scope.parts:
            return {scope.parts[node.id]}
        name = self._root(node, scope)
        return set() if name is None else {name}


@dataclass(frozen=True, slots=True)
class _Tested:
    """The globals that an `if` tests. The sets are filled in place."""

    absent: set[str]
    present: set[str]
    unkeyed: set[str]
    keyed: set[str]

    def turned(self) -> "_Tested":
        """Return the same sets for the inside of a `not`."""
        return _Tested(self.present, self.absent, self.keyed, self.unkeyed)


def _targets(node: ast.AST) -> Sequence[ast.expr]:
    match node:
        case ast.Assign(targets=targets) | ast.Delete(targets=targets):
            return targets
        case ast.AugAssign(target=target) | ast.NamedExpr(target=target):
            return [target]
        case ast.AnnAssign(target=target, value=value) if value is not None:
            return [target]
    return []


def _leaves(body: Sequence[ast.stmt]) -> bool:
    return isinstance(body[-1], ast.Return | ast.Raise | ast.Continue)


def _is_a_miss(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(kind, ast.Name) and kind.id in _MISSES for kind in kinds)


def _is_length(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "len"
        and len(node.args) == 1
    )


def _method(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _keys(node: ast.expr) -> Iterator[ast.expr]:
    """Yield the keys on the way to the part that is changed."""
    while True:
        match node:
            case ast.Subscript(value=value, slice=key):
                yield key
                node = value
            case ast.Attribute(value=value):
                node = value
            case ast.Call(func=ast.Attribute(attr=name, value=value), args=arguments):
                if arguments and name not in _ADDING:
                    yield arguments[0]
                node = value
            case _:
                return


def _is_of_one_caller(node: ast.expr, callers: Set[str]) -> bool:
    for inner in ast.walk(node):
        name = getattr(inner, "id", None) or getattr(inner, "attr", None)
        if name is not None and (name in callers or _OF_ONE_CALLER.search(name)):
            return True
    return False
