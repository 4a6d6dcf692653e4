"""Studies that several tests look at: each is walked once."""

import pytest

import workbench as wb


@pytest.fixture(scope="session")
def planted():
    return wb.study("synthetic_measurements")


@pytest.fixture(scope="session")
def strangers():
    """Split by user and without history: what the world's true chances know, they know as well as the model can."""
    split = wb.split_by_user(wb.load("synthetic_measurements", rows=60_000), history=False)
    return wb.compare(split, wb.train_network_quality(split))


@pytest.fixture(scope="session")
def little():
    """Small and quick, for tests of behaviour rather than of evidence."""
    return wb.study("synthetic_measurements", rows=6000)


@pytest.fixture(scope="session")
def null():
    return wb.study("synthetic_null", rows=30_000)


@pytest.fixture(scope="session")
def real(mirror):
    return wb.study("mobile_bandwidth")
