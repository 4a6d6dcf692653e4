"""What several explanations are tested on: a simulated world with a column twice, a simulated site, a model of each."""

import pytest
import xgboost

import workbench as wb

# What is left says all there is to say: network, provider (twice), system and hour.
LEFT_OUT = ("country", "city", "browser", "browser_major", "os_major", "save_data")


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Threads that wait for one another cost more than they bring, where test files run side by side."""
    with xgboost.config_context(nthread=1):
        yield


@pytest.fixture(scope="session")
def doubled():
    """Regions are copies of providers; users are split, and nobody has a history.

    All of iOS and 30 % of the others, so that there are as many of both: what is planted has opposite signs for them.
    """
    views = wb.load("synthetic_measurements", rows=20_000)
    views = views[(views["os_family"] == "iOS") | (views["user_id"].str[-1] < "3")]
    return wb.split_by_user(views.assign(region=views["isp"]), history=False)


@pytest.fixture(scope="session")
def doubled_model(doubled, once):
    return once(
        "network quality, 9,000 views, 160 trees",
        lambda: wb.train_network_quality(doubled, known_by="first_request", without=LEFT_OUT, max_trees=160),
    )


@pytest.fixture(scope="session")
def few():
    """The same, of so few views that a model is trained in no time."""
    views = wb.load("synthetic_measurements", rows=5000)
    return wb.split_by_user(views.assign(region=views["isp"]), seed=1, history=False)


@pytest.fixture(scope="session")
def few_model(few, once):
    return once(
        "network quality, 5,000 views, 40 trees",
        lambda: wb.train_network_quality(few, known_by="first_request", without=(*LEFT_OUT, "asn"), max_trees=40),
    )


@pytest.fixture(scope="session")
def small_site():
    return wb.split_by_time(wb.load("synthetic_navigations", rows=6000))


@pytest.fixture(scope="session")
def small_site_model(small_site, once):
    return once("next page, 6,000 views, 60 trees", lambda: wb.train_next_page(small_site, max_trees=60))
