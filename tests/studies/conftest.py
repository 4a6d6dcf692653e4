"""Studies that several tests look at: each is walked once."""

import pytest

import workbench as wb


@pytest.fixture(scope="session")
def planted():
    return wb.study_images("synthetic_measurements")


@pytest.fixture(scope="session")
def null():
    return wb.study_images("synthetic_null", rows=30_000)


@pytest.fixture(scope="session")
def real(mirror):
    return wb.study_images("mobile_bandwidth")
