"""Runs the tests of a project that has adopted the broker, in a process of their own: with Django's test runner and the
documented settings, and with pytest and the plugin of this package."""

import os
import subprocess
import sys

from conftest import HERE


def run(settings, *command):
    paths = (HERE, os.path.join(HERE, "..", "src"), os.path.join(HERE, "..", "example"))
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "DJANGO_SETTINGS_MODULE": settings,
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, *command], cwd=HERE, env=environment, capture_output=True, text=True, timeout=120
    )
    return done.returncode, done.stdout + done.stderr


def pytest_run(*options):
    folder = os.path.join(HERE, "site_tests")
    files = [os.path.join(folder, "tests.py"), os.path.join(folder, "test_fixture.py")]
    common = ("-q", "-p", "no:cacheprovider", "--confcutdir", folder, "--rootdir", folder)
    return run("site_tests.settings", "-m", "pytest", *common, *options, *files)


def test_with_the_test_runner_of_django_and_the_documented_settings():
    code, said = run("site_tests.settings_fake", "-m", "django", "test", "site_tests.tests")
    assert code == 0 and "Ran 7 tests" in said, said


def test_with_pytest_and_the_plugin():
    code, said = pytest_run("-o", "token_broker=fake")
    assert code == 0 and "10 passed" in said, said


def test_only_the_fixture_is_enough_for_tests_that_take_it():
    code, said = pytest_run("-k", "the_fixture_is_the_broker")
    assert code == 0 and "1 passed" in said, said


def test_without_either_these_tests_would_call_the_broker():
    code, said = pytest_run("-k", "test_a_user_logs_out")
    assert code == 1 and "OldTests::test_a_user_logs_out" in said and "1 failed" in said, said
