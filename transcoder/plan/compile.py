"""All composition: from configuration, schemas and calls to a `Snapshot`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Final

from transcoder.config.model import Config, RouteConfig
from transcoder.config.values import Rate
from transcoder.context import Calls, Origin, RouteInfo
from transcoder.events import Meter, unmetered
from transcoder.plan.bindings import ERROR_SHAPES, BindingCompiler, UnservableError, notes_on
from transcoder.plan.metadata import MetadataBuilder, compile_metadata
from transcoder.plan.plan import BackendRoutes, Route, Snapshot
from transcoder.plan.reply import compile_refuse
from transcoder.resilience.limiter import Counters, compile_caller, limit_rate
from transcoder.routing.table import RouteTable
from transcoder.routing.template import Template, TemplateError, parse_template
from transcoder.schema.rules import Binding, from_annotations, from_methods, from_route
from transcoder.schema.schema import MethodShape, Schema, SchemaError
from transcoder.security.api_keys import ApiKeys
from transcoder.security.cors import compile_cors
from transcoder.security.policy import Guard, TokenVerifier, authenticate, require

_PRIORITY: Final[Sequence[Origin]] = ("annotations", "methods")
"""Of the routes that are derived from schemas; configured ones come before them."""


def compile_snapshot(generation: int, config: Config, backends: Mapping[str, BackendRoutes]) -> Snapshot:
    """Everything in one table: configured routes in their order, then what backends expose, in theirs."""
    configured = {
        index: route for backend in backends.values() for index, route in backend.configured.items()
    }
    routes = [configured[index] for index in sorted(configured)]
    exposed = (route for backend in backends.values() for route in backend.exposed)
    routes += sorted(exposed, key=lambda route: _PRIORITY.index(route.info.origin))
    return Snapshot(
        generation=generation,
        config=config,
        backends=backends,
        routes=tuple(routes),
        table=RouteTable((route.info.http_method, route.template, route) for route in routes),
        refuse=compile_refuse(ERROR_SHAPES[config.errors.format]),
        cors=compile_cors(config.server.cors),
    )


@dataclass(frozen=True, kw_only=True)
class BackendCompiler:
    """Compiles the routes of one backend of one configuration.

    calls: of the backend's methods; verifier: None when no issuer is configured; api_keys: None when none is;
    counters: None when no route has a rate limit; meter: counts what limits refuse; thread: where big
    messages are coded, None for the event loop's own pool.
    """

    backend: str
    config: Config
    calls: Calls
    verifier: TokenVerifier | None
    api_keys: ApiKeys | None = None
    counters: Counters | None = None
    meter: Meter = unmetered
    thread: Executor | None = None

    def compile(self, schema: Schema | None) -> BackendRoutes:
        """Every route of the backend; without a schema, configured ones wait and there are no others."""
        waiting = self._waiting_routes
        if schema is None:
            return BackendRoutes(schema=None, configured=waiting)
        service = self.config.services[self.backend]
        bindings = BindingCompiler(schema, self.config, self.calls, service.max_message_size, self.thread)
        exposed: list[Route] = []
        skipped: list[str] = []
        for binding in self._exposed_bindings(schema, skipped):
            try:
                exposed.append(self._exposed(binding, bindings))
            except UnservableError as error:
                rule = f"{binding.http_method} {binding.template}"
                skipped.append(f"{binding.method.full_name}: {rule}: {error}")
        return BackendRoutes(
            schema=schema,
            configured={
                index: self._planned(route, self.config.routes[index], bindings)
                for index, route in waiting.items()
            },
            exposed=tuple(exposed),
            skipped=tuple(skipped),
            codecs=tuple(bindings.codecs),
        )

    @cached_property
    def _waiting_routes(self) -> Mapping[int, Route]:
        """The same for every schema, so that a request knows the guards it has passed."""
        return {
            index: self._waiting(route)
            for index, route in enumerate(self.config.routes)
            if route.service == self.backend
        }

    def _waiting(self, route: RouteConfig) -> Route:
        """A configured route as far as it is known without the schema."""
        template = parse_template(route.path)
        auth_required = self.config.route_needs_auth(route)
        info = RouteInfo(
            name=route.name,
            http_method=route.method,
            template=route.path,
            backend=self.backend,
            method=f"{route.grpc_service}/{route.grpc_method}",
            origin="config",
        )
        return Route(
            info=info,
            template=template,
            auth_required=auth_required,
            guards=(
                *self._guards(auth_required, route.require.roles, route.require.scopes),
                *self._limits(info, self.config.rate_limit_of(route)),
            ),
            metadata=self._metadata(template),
            timeout=self._timeout(route.timeout, None),
            require=route.require,
        )

    def _planned(self, waiting: Route, config: RouteConfig, bindings: BindingCompiler) -> Route:
        """A configured route keeps its place in the table, whether or not it can be served."""
        try:
            binding = from_route(config, bindings.schema)
            plan = bindings.compile(binding, waiting.template, self.config.json_of(config))
        except (SchemaError, UnservableError) as error:
            return replace(waiting, problem=str(error))
        return replace(
            waiting,
            info=replace(waiting.info, method=binding.method.full_name),
            timeout=self._timeout(config.timeout, binding.method),
            plan=plan,
            notes=tuple(notes_on(plan, waiting.template)),
        )

    def _exposed_bindings(self, schema: Schema, refused: list[str]) -> Iterator[Binding]:
        expose = self.config.services[self.backend].expose
        if "annotations" in expose:
            yield from from_annotations(schema, refused)
        if "methods" in expose:
            yield from from_methods(schema)

    def _exposed(self, binding: Binding, bindings: BindingCompiler) -> Route:
        try:
            template = parse_template(binding.template)
        except TemplateError as error:
            raise UnservableError(str(error)) from error
        auth_required = self.config.exposed_needs_auth(self.backend)
        info = RouteInfo(
            name=f"{binding.method.full_name} ({binding.origin})",
            http_method=binding.http_method,
            template=binding.template,
            backend=self.backend,
            method=binding.method.full_name,
            origin=binding.origin,
        )
        return Route(
            info=info,
            template=template,
            auth_required=auth_required,
            guards=(*self._guards(auth_required), *self._limits(info, self.config.rate_limits.default)),
            metadata=self._metadata(template),
            timeout=self._timeout(None, binding.method),
            plan=bindings.compile(binding, template, self.config.json_options),
        )

    def _guards(
        self, auth_required: bool, roles: Sequence[str] = (), scopes: Sequence[str] = ()
    ) -> tuple[Guard, ...]:
        if not auth_required:
            return ()
        guards = [authenticate(self.verifier, self.api_keys)]
        if roles or scopes:
            guards.append(require(roles, scopes))
        return tuple(guards)

    def _limits(self, route: RouteInfo, rate: Rate | None) -> Iterator[Guard]:
        if rate is not None and self.counters is not None:
            caller = compile_caller(self.config.rate_limits.key, self.config.server.trusted_proxies)
            counter = partial(
                self.meter,
                "transcoder_requests_rate_limited_total",
                route=route.template,
                http_method=route.http_method,
                backend=route.backend,
            )
            yield limit_rate(self.counters, rate, route=route.name, caller=caller, counter=counter)

    def _metadata(self, template: Template) -> MetadataBuilder:
        server = self.config.server
        return compile_metadata(
            static=tuple(self.config.services[self.backend].metadata.items()),
            forward_headers=server.forward_headers,
            trusted_proxies=server.trusted_proxies,
            variables=[variable.field_path for variable in template.variables],
        )

    def _timeout(self, route_timeout: float | None, method: MethodShape | None) -> float:
        """Seconds a call may take; a stream lasts as long as its ends want, unless its route says else."""
        if method is not None and method.streaming != "unary":
            return route_timeout or math.inf
        ceilings = (self.config.services[self.backend].timeout, self.config.server.request_timeout)
        return min(ceilings if route_timeout is None else (route_timeout, *ceilings))
