"""All composition: from configuration, schemas and calls to a `Snapshot`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from transcoder.codec import BindingError, Codec, JsonOptions
from transcoder.config.model import Config, RouteConfig
from transcoder.context import RouteInfo, UnaryCall
from transcoder.plan.metadata import MetadataBuilder, compile_metadata
from transcoder.plan.plan import BackendRoutes, MethodPlan, Route, Snapshot
from transcoder.plan.reply import compile_refuse, compile_respond
from transcoder.routing.table import RouteTable
from transcoder.routing.template import Template, TemplateError, parse_template
from transcoder.schema.rules import Binding, from_annotations, from_methods, from_route
from transcoder.schema.schema import Schema, SchemaError
from transcoder.security.policy import Guard, TokenVerifier, authenticate, require

UnaryFactory = Callable[[str], UnaryCall]
"""`/pkg.Service/Method` -> the call of that method on one backend."""


class UnservableError(ValueError):
    """A binding that cannot be served; says why."""


def compile_snapshot(generation: int, config: Config, backends: Mapping[str, BackendRoutes]) -> Snapshot:
    """Everything in one table: configured routes in their order, then what backends expose, in theirs."""
    configured = {
        index: route for backend in backends.values() for index, route in backend.configured.items()
    }
    routes = [configured[index] for index in sorted(configured)]
    for backend in backends.values():
        routes += backend.exposed
    return Snapshot(
        generation=generation,
        config=config,
        backends=backends,
        routes=tuple(routes),
        table=RouteTable((route.info.http_method, route.template, route) for route in routes),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendCompiler:
    """Compiles the routes of one backend of one configuration.

    unary: calls of the backend; verifier: None when no issuer is configured.
    """

    backend: str
    config: Config
    unary: UnaryFactory
    verifier: TokenVerifier | None

    def compile(self, schema: Schema | None) -> BackendRoutes:
        """Every route of the backend; without a schema, configured ones wait and there are no others."""
        waiting = {
            index: self._waiting(route)
            for index, route in enumerate(self.config.routes)
            if route.service == self.backend
        }
        if schema is None:
            return BackendRoutes(schema=None, configured=waiting)
        bindings = BindingCompiler(schema, self.config, self.unary)
        exposed: list[Route] = []
        skipped: list[str] = []
        for binding in self._exposed_bindings(schema, skipped):
            try:
                exposed.append(self._exposed(binding, bindings))
            except UnservableError as error:
                skipped.append(f"{binding.http_method} {binding.template}: {error}")
        return BackendRoutes(
            schema=schema,
            configured={
                index: self._planned(route, self.config.routes[index], bindings)
                for index, route in waiting.items()
            },
            exposed=tuple(exposed),
            skipped=tuple(skipped),
        )

    def _waiting(self, route: RouteConfig) -> Route:
        """A configured route as far as it is known without the schema."""
        template = parse_template(route.path)
        auth_required = self.config.route_needs_auth(route)
        return Route(
            info=RouteInfo(
                name=route.name,
                http_method=route.method,
                template=route.path,
                backend=self.backend,
                method=f"{route.grpc_service}/{route.grpc_method}",
                origin="config",
            ),
            template=template,
            auth_required=auth_required,
            guards=self._guards(auth_required, route.require.roles, route.require.scopes),
            metadata=self._metadata(template),
            timeout=self._timeout(route.timeout),
            require=route.require,
        )

    def _planned(self, waiting: Route, config: RouteConfig, bindings: BindingCompiler) -> Route:
        """A configured route keeps its place in the table, whether or not it can be served."""
        try:
            binding = from_route(config, bindings.schema)
            plan = bindings.compile(binding, waiting.template)
        except (SchemaError, UnservableError) as error:
            return replace(waiting, problem=str(error))
        info = replace(waiting.info, method=binding.method.full_name)
        return replace(waiting, info=info, plan=plan, notes=tuple(_notes(plan, waiting.template)))

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
        return Route(
            info=RouteInfo(
                name=f"{binding.method.full_name} ({binding.origin})",
                http_method=binding.http_method,
                template=binding.template,
                backend=self.backend,
                method=binding.method.full_name,
                origin=binding.origin,
            ),
            template=template,
            auth_required=auth_required,
            guards=self._guards(auth_required),
            metadata=self._metadata(template),
            timeout=self._timeout(None),
            plan=bindings.compile(binding, template),
        )

    def _guards(
        self, auth_required: bool, roles: Sequence[str] = (), scopes: Sequence[str] = ()
    ) -> tuple[Guard, ...]:
        if not auth_required:
            return ()
        if self.verifier is None:
            raise AssertionError("a configuration that asks for tokens without an issuer was let through")
        guards = [authenticate(self.verifier)]
        if roles or scopes:
            guards.append(require(roles, scopes))
        return tuple(guards)

    def _metadata(self, template: Template) -> MetadataBuilder:
        server = self.config.server
        return compile_metadata(
            static=tuple(self.config.services[self.backend].metadata.items()),
            forward_headers=server.forward_headers,
            trusted_proxies=server.trusted_proxies,
            variables=[variable.field_path for variable in template.variables],
        )

    def _timeout(self, route_timeout: float | None) -> float:
        ceilings = (self.config.services[self.backend].timeout, self.config.server.request_timeout)
        return min(ceilings if route_timeout is None else (route_timeout, *ceilings))


class BindingCompiler:
    """Compiles bindings to the methods of one schema; their messages share one codec."""

    def __init__(self, schema: Schema, config: Config, unary: UnaryFactory) -> None:
        self.schema = schema
        self._unary = unary
        self._codec = Codec(schema.shapes, JsonOptions(**config.json_options.model_dump()))
        self._refuse = compile_refuse(self._codec.status_details, self._codec.retry_delay)

    def compile(self, binding: Binding, template: Template) -> MethodPlan:
        """The plan of a binding. Raises UnservableError."""
        method = binding.method
        if method.streaming != "unary":
            raise UnservableError(f"{method.full_name} is a {method.streaming} streaming method")
        variables = (variable.field_path for variable in template.variables)
        path_fields = tuple(self._path_field(binding, variable) for variable in variables)
        try:
            encode = self._codec.request_encoder(
                method.request,
                http_method=binding.http_method,
                body=binding.body,
                path_fields=path_fields,
            )
            decode = self._codec.response_decoder(method.response, response_body=binding.response_body)
        except BindingError as error:
            raise UnservableError(str(error)) from error
        return MethodPlan(
            binding=binding,
            path_fields=path_fields,
            encode=encode,
            call=self._unary(method.path),
            respond=compile_respond(decode),
            refuse=self._refuse,
        )

    def _path_field(self, binding: Binding, variable: str) -> str | None:
        """The request field a path variable binds. In a configured route it may bind none."""
        if variable in binding.params:
            return binding.params[variable]
        request = self.schema.shapes.message(binding.method.request)
        if binding.origin == "config" and request.field(variable.partition(".")[0]) is None:
            return None
        return variable


def _notes(plan: MethodPlan, template: Template) -> Iterator[str]:
    binding = plan.binding
    variables = [variable.field_path for variable in template.variables]
    for variable, field in zip(variables, plan.path_fields, strict=True):
        if field is None:
            request = binding.method.request
            yield f"path variable {variable!r} names no field of {request}: sent as metadata only"
    for unknown in sorted(binding.params.keys() - set(variables)):
        yield f"params names {unknown!r}, which is no variable of {binding.template}"
