"""with_stack.py BUILD COMMAND...: runs each command beside a whole stack, with the names of
dev/up --env-file in its environment."""

import os
import subprocess
import sys

from stack import Stack

with Stack(sys.argv[1]) as stack:
    names = {name.upper(): token for name, token in stack.tokens.items()}
    env = {**os.environ, **names, "BASE": stack.base_url, "SIM": stack.sim_url}
    for number, command in enumerate(sys.argv[2:], 1):
        subprocess.run(
            command.split(),
            check=True,
            env={**env, "ORDER": f"client-{number}", "ROOM": f"64f1c0ffee0123456789ab{number:02}"},
        )
