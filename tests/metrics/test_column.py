import json
import subprocess
import sys

from samplerbench.metrics.base import METRICS
from samplerbench.metrics.column import Column


def test_a_column_is_recorded_without_its_defaults_and_read_beside_fields_of_later_versions():
    column = Column("fid", "FID", "lower", spread="blocks", extractor=True)
    assert column.to_json() == {
        "name": "fid", "label": "FID", "better": "lower", "spread": "blocks", "extractor": True,
    }  # fmt: skip
    assert Column.from_json(column.to_json() | {"colour": "red"}) == column
    assert Column.from_json({"name": "floor"}) == Column("floor")


def test_every_declared_column_survives_run_json():
    for name in METRICS.names():
        for column in METRICS.lookup(name).columns:
            assert Column.from_json(json.loads(json.dumps(column.to_json()))) == column


def test_columns_are_imported_without_torch():
    check = "import sys, samplerbench.metrics.column; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", check], check=True, timeout=120)
