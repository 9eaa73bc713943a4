"""The `transcoder` command.

Results go to stdout, everything else to stderr. A failure is a line on stderr and an exit code, never a
traceback.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

import click

from transcoder import __version__
from transcoder.cli.gateway_commands import GATEWAY_COMMANDS
from transcoder.cli.server_commands import SERVER_COMMANDS
from transcoder.cli.text import printable
from transcoder.errors import ConfigError, TranscodeError

INTERRUPTED: Final = 130
"""Exit code after Ctrl-C, as shells have it: 128 and the number of the signal."""


@click.group(
    no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Serve gRPC backends as HTTP/JSON: no generated code, only server reflection."""


for command in (*GATEWAY_COMMANDS, *SERVER_COMMANDS):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (the process's own by default) and return its exit code."""
    # gRPC would write to stderr on its own what the error says anyway
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        return cli.main(arguments, prog_name="transcoder", standalone_mode=False) or 0
    except click.Abort:
        return INTERRUPTED
    except ConfigError as error:
        click.echo(error, err=True)
        return 1
    except Exception as error:
        click.echo(f"transcoder: {printable(_text(error))}", err=True)
        return error.exit_code if isinstance(error, click.ClickException) else 1


def _text(error: Exception) -> str:
    match error:
        case click.UsageError(ctx=ctx):
            command = ctx.command_path if ctx else "transcoder"
            return f"{error.format_message().rstrip('.')} (see {command} --help)"
        case click.ClickException():
            return error.format_message()
        case TranscodeError():
            return error.reason
        case OSError(filename=str(name), strerror=str(text)):
            return f"{name}: {text}"
        case OSError():
            return str(error)
    return f"unexpected error: {error!r}"
