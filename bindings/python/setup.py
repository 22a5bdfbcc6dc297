"""Puts the shared library into the wheel, which is then for this platform only: the one that ENCLAVE_VERIFIER_LIBRARY names, or
that of the checkout's build. Without them the library must be installed, or the package could not be imported."""
import ctypes.util
import os
import pathlib
import shutil

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py
from wheel.bdist_wheel import bdist_wheel

def find():
    """The library to carry, or None."""
    named = os.environ.get("ENCLAVE_VERIFIER_LIBRARY")
    if named:  # pip builds in the package's folder; PWD is still where it was called
        return pathlib.Path(os.environ.get("PWD", "."), named)
    built = pathlib.Path(__file__).resolve().parents[2] / "build/lib/libenclave-verifier.so.0"
    return built if built.is_file() else None


library = find()


class BuildWithLibrary(build_py):
    def run(self):
        if library and not library.is_file():
            raise SystemExit(f"ENCLAVE_VERIFIER_LIBRARY: there is no {library}")
        if not library and not ctypes.util.find_library("enclave-verifier"):
            raise SystemExit("libenclave-verifier is neither built (./dev build) nor installed, nor named by ENCLAVE_VERIFIER_LIBRARY")
        super().run()
        if library:
            target = pathlib.Path(self.build_lib, "enclave_verifier", "libenclave-verifier.so")
            shutil.copyfile(library, target)


class PlatformWheel(bdist_wheel):
    """Any Python 3, since it is ctypes; but one platform."""

    def get_tag(self):
        return ("py3", "none", super().get_tag()[2]) if library else super().get_tag()


class WithBinary(Distribution):
    def has_ext_modules(self):
        return bool(library)


setup(distclass=WithBinary, cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": PlatformWheel})
