import torch

from samplerbench.store.provenance import device_name, environment, fingerprint


def test_a_fingerprint_depends_on_values_not_on_the_order_of_keys():
    assert fingerprint({"a": 1, "b": [2]}) == fingerprint({"b": [2], "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})
    assert len(fingerprint({})) == 12


def test_the_environment_names_the_machine_and_the_versions():
    found = environment(torch.device("cpu"))
    assert found["device"] == f"cpu ({device_name(torch.device('cpu'))})"
    assert torch.__version__.startswith(found["packages"]["torch"])
    assert found["threads"] == torch.get_num_threads()
