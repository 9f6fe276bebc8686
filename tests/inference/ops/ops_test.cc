// Every op but the grid attention, on every backend, against `reference`.
#include "services/inference/ops/ops.h"

#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/inference/ops/fixture.h"

namespace kvscope::inference {
namespace {

class OpsTest : public testing::TestWithParam<std::string> {
 protected:
  Bench reference_{"reference"};
  Bench other_{GetParam()};
  Random random_{7};
};

struct LinearShape {
  int64_t rows, in, out;
};

TEST_P(OpsTest, LinearInEveryDTypeAndShape) {
  const LinearShape shapes[] = {{1, 64, 96},    {2, 16, 512},   {3, 128, 33},   {7, 160, 64},
                                {17, 144, 80},  {65, 40, 24},   {1025, 32, 48}, {200, 128, 256},
                                {40, 701, 130}, {520, 300, 64}, {5, 515, 70}};
  for (const DType stored : {DType::kFloat32, DType::kBFloat16, DType::kFloat16}) {
    for (const DType compute : {DType::kFloat32, DType::kBFloat16}) {
      for (const bool has_bias : {false, true}) {
        for (const LinearShape& shape : shapes) {
          const Tensor weight = random_.Normals({shape.out, shape.in}, 0.2f, stored);
          const Tensor bias = has_bias ? random_.Normals({shape.out}, 1.0f, stored) : Tensor();
          const Tensor x = random_.Normals({shape.rows, shape.in});
          std::vector<float> results[2];
          Bench* benches[2] = {&reference_, &other_};
          for (int i = 0; i < 2; ++i) {
            Bench& bench = *benches[i];
            const auto packed = bench.ops().Pack(weight, bias, compute);
            EXPECT_EQ(packed->in_features, shape.in);
            EXPECT_EQ(packed->out_features, shape.out);
            const Tensor y = bench.New({shape.rows, shape.out});
            bench.ops().Linear(*packed, bench.Put(x), y);
            results[i] = bench.Get(y);
          }
          ExpectNear(results[1], results[0], 2e-5f,
                     std::string(DTypeName(stored)) + " in " + DTypeName(compute) + ", " +
                         std::to_string(shape.rows) + " rows");
        }
      }
    }
  }
}

// In bfloat16 the inputs are rounded: the result differs from float32's, by about 2^-9 a factor.
TEST_P(OpsTest, BFloat16RoundsItsInputs) {
  const Tensor x = random_.Normals({4, 64}), weight = random_.Normals({32, 64});
  std::vector<float> results[2];
  for (const DType compute : {DType::kFloat32, DType::kBFloat16}) {
    const auto packed = other_.ops().Pack(weight, Tensor(), compute);
    const Tensor y = other_.New({4, 32});
    other_.ops().Linear(*packed, other_.Put(x), y);
    results[compute == DType::kBFloat16] = other_.Get(y);
  }
  EXPECT_NE(results[0], results[1]);
  ExpectNear(results[1], results[0], 0.1f, "rounded");
}

TEST_P(OpsTest, EmbedRowsColumnsAdd) {
  for (const DType stored : {DType::kFloat32, DType::kBFloat16}) {
    const Tensor table = random_.Normals({50, 24}, 1.0f, stored);
    const std::vector<int32_t> ids = {49, 0, 7, 7, 31};
    std::vector<std::vector<float>> results[2];
    Bench* benches[2] = {&reference_, &other_};
    for (int i = 0; i < 2; ++i) {
      Bench& bench = *benches[i];
      const Tensor x = bench.New({5, 24}), part = bench.New({5, 3, 2}), rows = bench.New({2, 24});
      bench.ops().Embed(bench.Put(table), ids, x);
      results[i].push_back(bench.Get(x));
      bench.ops().Columns(x, 18, part);
      results[i].push_back(bench.Get(part));
      bench.ops().Rows(x, std::vector<int32_t>{4, 1}, rows);
      results[i].push_back(bench.Get(rows));
      bench.ops().Add(rows, x.Slice(1, 2));
      results[i].push_back(bench.Get(rows));
    }
    EXPECT_EQ(results[1], results[0]);
    EXPECT_EQ(results[0][1][0], results[0][0][18]);
    EXPECT_EQ(results[0][2][0], results[0][0][4 * 24]);
  }
}

TEST_P(OpsTest, RmsNormRopeSwiGlu) {
  for (const int64_t rows : {1, 5, 300}) {
    for (const int64_t dim : {6, 16, 80, 128}) {
      const Tensor x = random_.Normals({rows, 3, dim}, 3.0f), weight = random_.Normals({dim});
      std::vector<int32_t> positions;
      std::vector<float> inv_freq;
      for (int64_t r = 0; r < rows; ++r) positions.push_back(random_.Below(3000));
      for (int64_t i = 0; i < dim / 2; ++i) {
        inv_freq.push_back(std::pow(10000.0f, -2.0f * static_cast<float>(i) / dim));
      }
      std::vector<std::vector<float>> results[2];
      Bench* benches[2] = {&reference_, &other_};
      for (int i = 0; i < 2; ++i) {
        Bench& bench = *benches[i];
        const Tensor on_device = bench.Put(x), y = bench.New({rows, 3, dim});
        bench.ops().RmsNorm(on_device, bench.Put(weight), 1e-5f, y);
        results[i].push_back(bench.Get(y));
        bench.ops().Rope(y, positions, inv_freq, 1.25f);
        results[i].push_back(bench.Get(y));
        const Tensor gated = bench.New({rows, 3 * dim / 2});
        bench.ops().SwiGlu(on_device.Reshaped({rows, 3 * dim}), gated);
        results[i].push_back(bench.Get(gated));
        const Tensor sum = bench.Put(x), normed = bench.New({rows, 3, dim});
        bench.ops().AddRmsNorm(sum, on_device, bench.Put(weight), 1e-5f, normed);
        results[i].push_back(bench.Get(sum));
        results[i].push_back(bench.Get(normed));
        bench.ops().RmsNorm(sum, bench.Put(weight), 1e-5f, sum);
        EXPECT_EQ(bench.Get(sum), results[i].back()) << "the bits of two ops";
      }
      for (size_t op = 0; op < results[0].size(); ++op) {
        ExpectNear(results[1][op], results[0][op], 3e-6f, "op " + std::to_string(op));
      }
    }
  }
}

TEST_P(OpsTest, SwiGluAtTheEnds) {
  const Tensor x = AllocateHost(DType::kFloat32, {1, 12});
  const float gates[] = {-1000.0f, -90.0f, -1e-8f, 0.0f, 90.0f, 1000.0f};
  for (int i = 0; i < 6; ++i) {
    x.f32()[i] = gates[i];
    x.f32()[6 + i] = 2.0f;
  }
  const Tensor y = other_.New({1, 6});
  other_.ops().SwiGlu(other_.Put(x), y);
  const std::vector<float> found = other_.Get(y);
  const float expected[] = {0.0f, 0.0f, -1e-8f, 0.0f, 180.0f, 2000.0f};
  for (size_t i = 0; i < 6; ++i) EXPECT_NEAR(found[i], expected[i], 1e-6f * (1 + expected[i])) << i;
}

TEST_P(OpsTest, StoreKvPutsRowsWhereTheyBelong) {
  const Tensor x = random_.Normals({3, 2, 4});
  const std::vector<int32_t> slots = {1, 0, 1}, positions = {4, 2, 0};
  std::vector<float> results[2];
  Bench* benches[2] = {&reference_, &other_};
  for (int i = 0; i < 2; ++i) {
    Bench& bench = *benches[i];
    Tensor zero = AllocateHost(DType::kFloat32, {2, 2, 5, 4});
    std::fill_n(zero.f32(), zero.size(), 0.0f);
    const Tensor cache = bench.Put(zero);
    bench.ops().StoreKv(bench.Put(x), slots, positions, cache);
    results[i] = bench.Get(cache);
  }
  EXPECT_EQ(results[1], results[0]);
  // Row 0, head 1 lies in slot 1, head 1, position 4.
  EXPECT_EQ(results[0][((1 * 2 + 1) * 5 + 4) * 4 + 3], x.f32()[1 * 4 + 3]);
  EXPECT_EQ(std::count(results[0].begin(), results[0].end(), 0.0f), 2 * 2 * 5 * 4 - 3 * 2 * 4);
}

TEST_P(OpsTest, ArgmaxGivesTiesToTheLowerIndex) {
  const Tensor logits = AllocateHost(DType::kFloat32, {3, 100});
  std::fill_n(logits.f32(), 300, -2.0f);
  logits.f32()[60] = logits.f32()[17] = 1.0f;
  logits.f32()[299] = 0.0f;
  std::vector<int32_t> ids(3);
  other_.ops().Argmax(other_.Put(logits), ids);
  EXPECT_EQ(ids, (std::vector<int32_t>{17, 0, 99}));
}

using CausalShape = std::tuple<int64_t, int64_t, int64_t, int64_t>;  // rows, q_heads, kv_heads, dim

TEST_P(OpsTest, CausalAttention) {
  const CausalShape shapes[] = {{1, 1, 1, 2},     {5, 4, 2, 16},   {63, 2, 2, 32},
                                {64, 3, 1, 64},   {65, 8, 1, 20},  {257, 4, 2, 32},
                                {130, 2, 1, 128}, {1100, 2, 1, 16}};
  for (const auto& [rows, q_heads, kv_heads, dim] : shapes) {
    const int64_t capacity = rows + 3;
    const Tensor q = random_.Normals({rows, q_heads, dim}, 2.0f);
    const Tensor k = random_.Normals({kv_heads, capacity, dim});
    const Tensor v = random_.Normals({kv_heads, capacity, dim});
    for (int64_t h = 0; h < kv_heads; ++h) {  // what lies past the rows must not matter
      for (int64_t i = rows * dim; i < capacity * dim; ++i) {
        k.f32()[h * capacity * dim + i] = v.f32()[h * capacity * dim + i] = std::nanf("");
      }
    }
    std::vector<float> results[2], weights[2];
    Bench* benches[2] = {&reference_, &other_};
    for (int i = 0; i < 2; ++i) {
      Bench& bench = *benches[i];
      const Tensor out = bench.New({rows, q_heads, dim});
      const Tensor seen = AllocateHost(DType::kFloat32, {q_heads, rows, rows});
      bench.ops().CausalAttention(bench.Put(q), bench.Put(k), bench.Put(v), 0, out, seen);
      results[i] = bench.Get(out);
      weights[i].assign(seen.f32(), seen.f32() + seen.size());
      const Tensor alone = bench.New({rows, q_heads, dim});
      bench.ops().CausalAttention(bench.Put(q), bench.Put(k), bench.Put(v), 0, alone, Tensor());
      ExpectNear(bench.Get(alone), results[i], 1e-5f, "without weights");
    }
    ExpectNear(results[1], results[0], 1e-5f, "out of " + std::to_string(rows));
    ExpectNear(weights[1], weights[0], 2e-6f, "weights of " + std::to_string(rows));
  }
}

// A prefix of a prompt has the same bits as the whole prompt's, however large the scores are.
TEST_P(OpsTest, CausalRowsDoNotDependOnLaterOnes) {
  const int64_t tokens = 3000;
  const Tensor q = random_.Normals({tokens, 4, 32}, 5.0f), k = random_.Normals({2, tokens, 32});
  const Tensor v = random_.Normals({2, tokens, 32}), all = other_.New({tokens, 4, 32});
  const Tensor device_q = other_.Put(q), device_k = other_.Put(k), device_v = other_.Put(v);
  other_.ops().CausalAttention(device_q, device_k, device_v, 0, all, Tensor());
  for (const int64_t rows : {71, 512, 513, 2100}) {
    const Tensor some = other_.New({rows, 4, 32});
    other_.ops().CausalAttention(device_q.Slice(0, rows), device_k, device_v, 0, some, Tensor());
    EXPECT_EQ(other_.Get(some), other_.Get(all.Slice(0, rows))) << rows;
  }
}

// A prompt in blocks has the same bits as the whole prompt ...
TEST_P(OpsTest, CausalBlocksEqualTheWhole) {
  const int64_t tokens = 1300, heads = 4, dim = 16;
  const Tensor q = random_.Normals({tokens, heads, dim}), k = random_.Normals({2, tokens, dim});
  const Tensor v = random_.Normals({2, tokens, dim});
  const Tensor whole = other_.New({tokens, heads, dim}), out = other_.New({tokens, heads, dim});
  const Tensor device_q = other_.Put(q), device_k = other_.Put(k), device_v = other_.Put(v);
  other_.ops().CausalAttention(device_q, device_k, device_v, 0, whole, Tensor());
  for (const auto& [first, rows] : {std::pair<int64_t, int64_t>{0, 500}, {500, 524}, {1024, 276}}) {
    other_.ops().CausalAttention(device_q.Slice(first, rows), device_k, device_v, first,
                                 out.Slice(first, rows), Tensor());
  }
  EXPECT_EQ(other_.Get(out), other_.Get(whole));
}

// ... and the same weights.
TEST_P(OpsTest, WeightsOfCausalBlocksEqualTheWhole) {
  const int64_t tokens = 150, heads = 4, dim = 32;
  const Tensor q = random_.Normals({tokens, heads, dim}), k = random_.Normals({2, tokens, dim});
  const Tensor v = random_.Normals({2, tokens, dim});
  for (Bench* bench : {&reference_, &other_}) {
    const Tensor device_q = bench->Put(q), device_k = bench->Put(k), device_v = bench->Put(v);
    const Tensor whole = bench->New({tokens, heads, dim}), out = bench->New({tokens, heads, dim});
    const Tensor all_weights = AllocateHost(DType::kFloat32, {heads, tokens, tokens});
    bench->ops().CausalAttention(device_q, device_k, device_v, 0, whole, all_weights);
    for (const auto& [first, rows] : {std::pair<int64_t, int64_t>{0, 64}, {64, 70}, {134, 16}}) {
      const Tensor weights = AllocateHost(DType::kFloat32, {heads, rows, first + rows});
      bench->ops().CausalAttention(device_q.Slice(first, rows), device_k, device_v, first,
                                   out.Slice(first, rows), weights);
      for (int64_t h = 0; h < heads; ++h) {
        for (int64_t r = 0; r < rows; ++r) {
          for (int64_t t = 0; t < first + rows; ++t) {
            ASSERT_EQ(weights.f32()[(h * rows + r) * (first + rows) + t],
                      all_weights.f32()[(h * tokens + first + r) * tokens + t])
                << first << " + " << r << " sees " << t;
          }
        }
      }
    }
    EXPECT_EQ(bench->Get(out), bench->Get(whole));
  }
}

TEST_P(OpsTest, EqualCallsGiveEqualBits) {
  const Tensor x = random_.Normals({137, 96}), weight = random_.Normals({256, 96});
  const auto packed = other_.ops().Pack(weight, Tensor(), DType::kFloat32);
  const Tensor y = other_.New({137, 256}), again = other_.New({137, 256});
  other_.ops().Linear(*packed, other_.Put(x), y);
  other_.ops().Linear(*packed, other_.Put(x), again);
  EXPECT_EQ(other_.Get(y), other_.Get(again));
}

// One thread and several differ by noise at most, and each repeats itself.
TEST_P(OpsTest, AnyNumberOfThreads) {
  const Tensor q = random_.Normals({300, 4, 32}), k = random_.Normals({2, 300, 32});
  const Tensor v = random_.Normals({2, 300, 32}), weight = random_.Normals({512, 128});
  std::vector<float> results[3];  // of enough work for threads to share
  for (const int threads : {1, 2, 3}) {
    std::thread([&, threads] {  // the setting is the thread's own
      SetComputeThreads(threads);
      Bench bench(GetParam());
      const Tensor out = bench.New({300, 4, 32}), y = bench.New({300, 512});
      const auto packed = bench.ops().Pack(weight, Tensor(), DType::kFloat32);
      for (const bool again : {false, true}) {
        bench.ops().CausalAttention(bench.Put(q), bench.Put(k), bench.Put(v), 0, out, Tensor());
        bench.ops().Linear(*packed, out.Reshaped({300, 128}), y);
        const std::vector<float> before = std::exchange(results[threads - 1], bench.Get(y));
        if (again) {
          EXPECT_EQ(results[threads - 1], before) << threads << " threads";
        }
      }
    })
        .join();
  }
  ExpectNear(results[1], results[0], 2e-5f, "two threads");
  ExpectNear(results[2], results[0], 2e-5f, "three threads");
}

using OpsDeathTest = OpsTest;

TEST_P(OpsDeathTest, WrongShapesAreBugs) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";  // the backend has threads
  const Tensor x = other_.New({2, 8});
  EXPECT_DEATH(other_.ops().Add(x, other_.New({2, 9})), "equal sizes");
  EXPECT_DEATH(other_.ops().SwiGlu(x, other_.New({2, 8})), "2 width");
  const auto packed = other_.ops().Pack(random_.Normals({4, 7}), Tensor(), DType::kFloat32);
  EXPECT_DEATH(other_.ops().Linear(*packed, x, other_.New({2, 4})), "x \\[rows, in\\]");
  EXPECT_DEATH(other_.ops().Embed(x, std::vector<int32_t>{2}, other_.New({1, 8})), "below vocab");
}

INSTANTIATE_TEST_SUITE_P(Backends, OpsDeathTest, testing::ValuesIn(OtherDevices()),
                         [](const auto& info) { return info.param; });
INSTANTIATE_TEST_SUITE_P(Backends, OpsTest, testing::ValuesIn(OtherDevices()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace kvscope::inference
