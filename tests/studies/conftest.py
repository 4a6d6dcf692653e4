"""Studies that several tests look at: each is walked once a run, whatever the number of workers."""

import pytest

import workbench as wb


@pytest.fixture(scope="session")
def planted(studied):
    return studied("synthetic_measurements", rows=30_000)


@pytest.fixture(scope="session")
def planted_pages(studied):
    return studied("synthetic_navigations", rows=12_000)


@pytest.fixture(scope="session")
def strangers(once):
    """Split by user and without history: what the world's true chances know, they know as well as the model can."""

    def make():
        split = wb.split_by_user(wb.load("synthetic_measurements", rows=30_000), history=False)
        return wb.compare(split, wb.train_network_quality(split))

    return once("strangers", make)


@pytest.fixture(scope="session")
def null(studied):
    return studied("synthetic_null", rows=12_000)


@pytest.fixture(scope="session")
def null_pages(studied):
    return studied("synthetic_navigations_null", rows=15_000)


@pytest.fixture(scope="session")
def real(studied):
    return studied("mobile_bandwidth")


@pytest.fixture(scope="session")
def little_images(studied):
    """Small and quick, for tests of behaviour rather than of evidence."""
    return studied("synthetic_measurements", rows=6000)


@pytest.fixture(scope="session")
def little_pages(studied):
    return studied("synthetic_navigations", rows=4000)


@pytest.fixture(params=["little_images", "little_pages"])
def little(request):
    return request.getfixturevalue(request.param)
