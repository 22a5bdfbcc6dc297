"""Puts the shared library named by ENCLAVE_VERIFIER_LIBRARY into the wheel, which is then for this platform only."""
import os
import pathlib
import shutil

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py
from wheel.bdist_wheel import bdist_wheel

library = os.environ.get("ENCLAVE_VERIFIER_LIBRARY")


class BuildWithLibrary(build_py):
    def run(self):
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
