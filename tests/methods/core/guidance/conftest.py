import pytest

from samplerbench.testing.exact import TwoClasses, two_classes


@pytest.fixture(scope="session")
def classes() -> TwoClasses:
    """Two classes of Gaussian images of 2x2, for which the optimal network and classifier are known."""
    return two_classes()
