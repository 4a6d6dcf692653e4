import numpy as np
import pandas as pd

from workbench.decisions.chances import Lookup
from workbench.decisions.images.replay import rendition_payoffs
from workbench.decisions.images.rules import (
    CHROMIUM_DEFAULTS,
    ConnectionClass,
    ConnectionDefaults,
    EffectiveType,
    LastMeasurement,
    best_at,
)
from workbench.decisions.images.scenario import ImageScenario, Ladder
from workbench.decisions.options import decide
from workbench.decisions.policy import missing_columns

# One image of 10, 50 or 100 kB; one round trip; quality 0, 50, 100; a point a 4 ms; budget 1 s.
BY_HAND = ImageScenario(
    images_per_view=1, connection_rtts=1, ladder=Ladder(("s", "m", "l"), (10e3, 50e3, 100e3), (0, 0.5, 1))
)
STANDARD = ImageScenario()


def test_effective_type_follows_the_published_rule():
    context = pd.DataFrame({"effective_type": ["4g", "3g", "2g", "slow-2g", None]}, dtype="str")
    assert EffectiveType()(context).tolist() == ["large", "medium", "small", "small", "medium"]


def test_effective_type_hands_views_without_a_signal_to_another_policy():
    context = pd.DataFrame({"effective_type": ["4g", None, None], "os_family": ["iOS", "iOS", "Android"]}, dtype="str")

    def by_system(context):
        return context["os_family"].map({"iOS": "large", "Android": "small"})

    assert EffectiveType(otherwise=by_system)(context).tolist() == ["large", "large", "small"]
    # The other policy may ask for the scenario too.
    context = context.assign(last_rtt_ms=20.0, last_downlink_mbps=0.2, last_age_s=60.0)
    assert decide(EffectiveType(otherwise=LastMeasurement()), context, STANDARD).tolist() == [2, 0, 0]


def test_a_rule_needs_what_the_policy_needs_that_it_hands_views_to():
    table = Lookup(("country", "asn"))
    assert EffectiveType().needs == ("effective_type",)
    for rule in (EffectiveType(otherwise=table), ConnectionClass(otherwise=table), LastMeasurement(otherwise=table)):
        assert rule.needs[1:] == ("country", "asn")
    context = pd.DataFrame({"last_age_s": [60.0], "country": ["SE"], "asn": [None]})
    assert missing_columns(LastMeasurement(otherwise=table), context) == "these views have no asn"
    assert missing_columns(LastMeasurement(), context) == ""


def test_the_best_rendition_at_a_point_is_that_of_perfect_knowledge():
    rng = np.random.default_rng(0)
    views = pd.DataFrame({"rtt_ms": rng.gamma(2, 60, 500), "downlink_mbps": rng.gamma(1, 4, 500)})
    best = rendition_payoffs(views, STANDARD, {})["net"].argmax(axis=1)
    names = best_at(STANDARD, views["rtt_ms"].to_numpy(), views["downlink_mbps"].to_numpy())
    assert names.tolist() == [STANDARD.ladder.names[i] for i in best]
    assert set(names) == {"small", "medium", "large"}


def test_chromium_defaults_by_hand():
    links = ["wifi", "4g", "3g", "2g", "5g", None]
    context = pd.DataFrame({"connection_type": pd.Series(links, dtype="str")})
    # wifi: 116 + 800 / 2.658 = 417 ms for the large one; 3g: 273 + 1068 = 1341 late, medium 807;
    # 2g: 1726 ms before the first byte, 2807 for the small one: lost or nearly so, the small one.
    assert ConnectionDefaults()(context, BY_HAND).tolist() == ["l", "l", "m", "s", "l", "l"]
    assert CHROMIUM_DEFAULTS["5g"] == CHROMIUM_DEFAULTS["4g"] == CHROMIUM_DEFAULTS["cellular"]


def test_connection_classes_by_their_published_edges():
    context = pd.DataFrame({"last_downlink_mbps": [2.0, 1.99, 0.55, 0.549, 0.1, np.nan]})
    chosen = ConnectionClass(otherwise="large")(context, STANDARD)
    assert chosen.tolist() == ["large", "medium", "medium", "small", "small", "large"]


def test_a_young_measurement_is_taken_as_if_it_were_now():
    context = pd.DataFrame(
        {
            "last_rtt_ms": [20.0, 20.0, 20.0, np.nan],
            "last_downlink_mbps": [100.0, 0.2, 100.0, np.nan],
            "last_age_s": [60.0, 60.0, 9999.0, np.nan],
        }
    )
    chosen = LastMeasurement(max_age_s=600)(context, STANDARD)
    assert chosen.tolist() == ["large", "small", "medium", "medium"]


def test_what_was_never_measured_is_assumed():
    context = pd.DataFrame({"last_rtt_ms": [20.0], "last_downlink_mbps": [np.nan], "last_age_s": [60.0]})
    assert LastMeasurement(assume={"downlink_mbps": 100.0})(context, STANDARD).tolist() == ["large"]
    assert LastMeasurement()(context, STANDARD).tolist() == ["medium"]
