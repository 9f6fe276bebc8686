// Against scipy and statsmodels (tests/golden/metrics/statistics.json, make_statistics.py) and the
// reference susceptibility (susceptibility.json, as numpy.gradient).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "services/metrics/estimate/compare.h"
#include "services/metrics/estimate/correlation.h"
#include "services/metrics/estimate/distributions.h"
#include "services/metrics/estimate/ranks.h"
#include "services/metrics/estimate/susceptibility.h"

namespace kvscope::metrics {
namespace {

using ::testing::DoubleNear;
using ::testing::Optional;
using ::testing::Pointwise;

constexpr double kTolerance = 1e-9;
using Values = std::vector<double>;

MATCHER(Near, "") { return std::abs(std::get<0>(arg) - std::get<1>(arg)) <= kTolerance; }

nlohmann::json ReadGolden(const std::string& name) {
  std::ifstream in(KVSCOPE_SOURCE_DIR "/tests/golden/metrics/" + name);
  nlohmann::json json = nlohmann::json::parse(in, nullptr, false);
  EXPECT_FALSE(json.is_discarded() || json.empty()) << name;
  return json;
}

TEST(EstimateGolden, Correlations) {
  const nlohmann::json rows = ReadGolden("statistics.json")["correlations"];
  EXPECT_EQ(rows.size(), 6u);
  for (const nlohmann::json& row : rows) {
    const Values x = row["x"], y = row["y"];
    EXPECT_THAT(MidRanks(x), Pointwise(Near(), row["ranks_x"].get<Values>()));
    const Estimate pearson = *CorrelatePairs(x, y, CorrelationKind::kPearson);
    EXPECT_THAT(pearson.value, Optional(DoubleNear(row["pearson"], kTolerance)));
    EXPECT_THAT(pearson.low, Optional(DoubleNear(row["pearson_low"], kTolerance)));
    EXPECT_THAT(pearson.high, Optional(DoubleNear(row["pearson_high"], kTolerance)));
    EXPECT_THAT(CorrelatePairs(x, y, CorrelationKind::kSpearman)->value,
                Optional(DoubleNear(row["spearman"], kTolerance)));
  }
}

TEST(EstimateGolden, Holm) {
  for (const nlohmann::json& row : ReadGolden("statistics.json")["holm"]) {
    const Values p = row["p"], expected = row["adjusted"];
    const std::vector<std::optional<double>> given(p.begin(), p.end());
    const std::vector<std::optional<double>> adjusted = Holm(given);
    ASSERT_EQ(adjusted.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_THAT(adjusted[i], Optional(DoubleNear(expected[i], kTolerance)));
    }
  }
}

TEST(EstimateGolden, SignFlips) {
  for (const nlohmann::json& row : ReadGolden("statistics.json")["sign_flips"]) {
    EXPECT_THAT(SignFlipPValue(row["differences"].get<Values>()),
                Optional(DoubleNear(row["p"], kTolerance)));
  }
}

TEST(EstimateGolden, Isotonic) {
  for (const nlohmann::json& row : ReadGolden("statistics.json")["isotonic"]) {
    EXPECT_THAT(Isotonic(row["y"].get<Values>(), row["weights"].get<Values>()),
                Pointwise(Near(), row["fit"].get<Values>()));
  }
}

TEST(EstimateGolden, StudentQuantiles) {
  for (const nlohmann::json& row : ReadGolden("statistics.json")["student"]) {
    const double t = row["t"];
    EXPECT_NEAR(StudentQuantile(row["p"], row["df"]), t, kTolerance * std::max(1.0, t)) << row;
  }
}

TEST(EstimateGolden, Susceptibility) {
  const nlohmann::json rows = ReadGolden("susceptibility.json");
  EXPECT_GE(rows.size(), 12u);
  for (const nlohmann::json& row : rows) {
    const Values alpha = row["alpha"], h = row["h"];
    const Values chi = Gradient(alpha, h).value();
    EXPECT_THAT(chi, Pointwise(Near(), row["dh_dalpha"].get<Values>()));
    const MidpointDifferences midpoints = DifferencesAtMidpoints(alpha, h).value();
    EXPECT_THAT(midpoints.alpha, Pointwise(Near(), row["mid_alpha"].get<Values>()));
    EXPECT_THAT(midpoints.slope, Pointwise(Near(), row["mid_dh_dalpha"].get<Values>()));

    // One passage whose means are h: the same through the curve.
    const std::vector<int32_t> passage(alpha.size(), 0);
    const Susceptibility measured =
        MeasureSusceptibility(MakeCurve({passage, 1}, alpha, h).value());
    EXPECT_THAT(measured.peak.value, Optional(row["peak_alpha"].get<double>()));
    ASSERT_EQ(measured.chi.size(), chi.size());
    for (size_t i = 0; i < chi.size(); ++i) {
      EXPECT_THAT(measured.chi[i].value, Optional(DoubleNear(chi[i], kTolerance)));
    }
  }
}

}  // namespace
}  // namespace kvscope::metrics
