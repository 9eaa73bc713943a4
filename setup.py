"""Makes what the demo ships beside its code; everything else about the package is in setup.cfg."""

import shutil
from importlib.util import find_spec
from pathlib import Path

from grpc_tools import protoc
from setuptools import setup
from setuptools.command.build_py import build_py

DEMO = Path("transcoder/demo")


def package_dir(name: str) -> Path:
    return Path(find_spec(name).submodule_search_locations[0])


def compile_protos() -> None:
    """Compiles the demo's protos, with their imports and comments, into one FileDescriptorSet."""
    protos = DEMO / "protos"
    includes = [protos, package_dir("grpc_tools") / "_proto", package_dir("google.api").parents[1]]
    command = [
        "protoc",
        *(f"--proto_path={include}" for include in includes),
        "--include_imports",
        "--include_source_info",
        f"--descriptor_set_out={DEMO / 'demo.binpb'}",
        *sorted(proto.name for proto in protos.glob("*.proto")),
    ]
    if protoc.main(command) != 0:
        raise SystemExit(f"protoc could not compile {protos}")


def copy_config() -> None:
    """Copies the demo's configuration into the package, where an installed `transcoder demo` finds it."""
    target = DEMO / "config"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    for file in Path("config").glob("*.yaml"):
        shutil.copyfile(file, target / file.name)


class BuildDemo(build_py):
    """`build_py`, once the files that are not under version control are there."""

    def run(self) -> None:
        compile_protos()
        copy_config()
        super().run()


setup(cmdclass={"build_py": BuildDemo})
