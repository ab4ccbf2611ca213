"""Whether a run directory holds the sweep that a session joins."""

import json
from typing import TYPE_CHECKING

from samplerbench.errors import InputError
from samplerbench.store.place import Place
from samplerbench.store.sessions import read_facts
from samplerbench.store.sharing import living
from samplerbench.sweep.cell_key import cell_key
from samplerbench.sweep.options import HOW

if TYPE_CHECKING:
    from samplerbench.sweep.session import Session

# Options that may differ between machines: where things are, of which the cells' keys cover the content.
WHERE = {"output", "weights", "data_root", "download", "named", *HOW}


def check_same(folder: Place, session: "Session") -> None:
    """Raise InputError unless a directory is new, or holds the sweep of a session, and its cells while others measure.

    Between sessions the cells may change, as when the code of a method did: then they are measured again.
    """
    if not session.store.described:
        return
    facts = read_facts(folder)
    before, asked = facts["sweep"], json.loads(json.dumps(session.asked()["sweep"]))
    differing = [name for name in asked if name not in WHERE and asked[name] != before.get(name, asked[name])]
    if differing:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in differing)
        raise InputError(
            f"{str(folder)!r} holds another sweep, which differs in {options}: --join takes the options of the sweep "
            "that it joins; for others choose another --output."
        )
    cells = {cell_key(job, session.prepared) for job in session.jobs if not job.fault}
    if not cells <= facts.get("planned", {}).keys() and living(folder):
        raise InputError(
            f"Another session of {str(folder)!r} measures other cells: samplerbench, plug-ins, weights, data and the "
            "kind of device must be the same for all that --join."
        )
