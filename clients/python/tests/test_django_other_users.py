"""A project whose users have a UUID, and neither a username nor an email field of that name."""

import os
import subprocess
import sys

from conftest import HERE


def test_support_works_with_other_users():
    ran = subprocess.run(
        [sys.executable, "-c", "import uuid_people.site as site; site.main()"],
        cwd=HERE,
        env={name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
