from collections.abc import Iterator

import pytest
import xgboost


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """These models are small, and threads that wait for each other on busy cores make seconds of milliseconds."""
    with xgboost.config_context(nthread=1):
        yield
