// The mutual information core against counting one by one: bins, sizes, strides, threads, faults.
#include "mi/mi.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "check.h"
#include "common/threads.h"

using namespace pruning_ext;

namespace {

struct Table {  // of codes, [rows, samples]
  std::int64_t rows, samples, bins;
  std::vector<std::uint8_t> data;

  mi::Codes codes() const { return {data.data(), rows, samples, samples, 1}; }
  std::int64_t at(std::int64_t row, std::int64_t t) const { return data[static_cast<std::size_t>(row * samples + t)]; }
};

Table random_table(std::int64_t rows, std::int64_t samples, std::int64_t bins) {
  std::mt19937 random(static_cast<unsigned>(rows * 7919 + samples * 31 + bins));
  Table table{rows, samples, bins, {}};
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t t = 0; t < samples; ++t) {
      std::int64_t code = static_cast<std::int64_t>(random()) % bins;
      if (row % 4 == 1 && random() % 4 != 0) code = bins - 1;  // a spike
      if (row % 4 == 2) code = 0;                              // constant
      table.data.push_back(static_cast<std::uint8_t>(code));
    }
  }
  return table;
}

std::vector<std::int32_t> counted(const Table& x, const Table& y) {
  std::vector<std::int32_t> counts(static_cast<std::size_t>(x.rows * y.rows * x.bins * x.bins));
  for (std::int64_t n = 0; n < x.rows; ++n) {
    for (std::int64_t m = 0; m < y.rows; ++m) {
      for (std::int64_t t = 0; t < x.samples; ++t) {
        ++counts[static_cast<std::size_t>(((n * y.rows + m) * x.bins + x.at(n, t)) * x.bins + y.at(m, t))];
      }
    }
  }
  return counts;
}

mi::Pairs pairs_of(const Table& x, const Table* y) {
  return {x.codes(), y != nullptr ? y->codes() : mi::Codes{}, y == nullptr, x.bins};
}

void same_counts(const Table& x, const Table* y, const ParallelFor& parallel_for) {
  const std::vector<std::int32_t> expected = counted(x, y != nullptr ? *y : x);
  std::vector<std::int32_t> found(expected.size(), -1);
  const Status status = mi::contingency_cpu({pairs_of(x, y), found.data()}, parallel_for);
  CHECK(static_cast<bool>(status), "%s", fault_sentence(status, "codes").c_str());
  CHECK(found == expected, "%lld x %lld rows, %lld samples, %lld bins", static_cast<long long>(x.rows),
        static_cast<long long>(y != nullptr ? y->rows : x.rows), static_cast<long long>(x.samples),
        static_cast<long long>(x.bins));
}

double entropy(const std::vector<double>& counts, double samples) {
  double sum = 0;
  for (const double c : counts) sum += c > 0 ? c * std::log(c) : 0;
  return std::log(samples) - sum / samples;
}

// [N, N] in nats, as the formula reads.
std::vector<double> information(const Table& x) {
  const std::vector<std::int32_t> counts = counted(x, x);
  std::vector<double> result;
  for (std::int64_t pair = 0; pair < x.rows * x.rows; ++pair) {
    const std::int32_t* cells = counts.data() + pair * x.bins * x.bins;
    std::vector<double> joint, row(static_cast<std::size_t>(x.bins)), column(static_cast<std::size_t>(x.bins));
    for (std::int64_t a = 0; a < x.bins; ++a) {
      for (std::int64_t b = 0; b < x.bins; ++b) {
        const double count = cells[a * x.bins + b];
        joint.push_back(count);
        row[static_cast<std::size_t>(a)] += count;
        column[static_cast<std::size_t>(b)] += count;
      }
    }
    const double samples = static_cast<double>(x.samples);
    result.push_back(entropy(row, samples) + entropy(column, samples) - entropy(joint, samples));
  }
  return result;
}

void scores(const Table& x, const ParallelFor& parallel_for) {
  const std::int64_t n = x.rows, k = std::min<std::int64_t>(3, n - 1);
  const std::vector<double> expected = information(x);
  std::vector<double> found(expected.size()), values(static_cast<std::size_t>(n * k)),
      sums(static_cast<std::size_t>(n));
  std::vector<std::int64_t> indices(static_cast<std::size_t>(n * k));
  const mi::Pairs pairs = pairs_of(x, nullptr);
  mi::mutual_information_cpu({pairs, {}, found.data(), DType::float64}, parallel_for);
  mi::top_k_cpu({pairs, {}, k, values.data(), indices.data(), DType::float64}, parallel_for);
  mi::sum_cpu({pairs, {}, sums.data()}, parallel_for);
  double worst = 0;
  for (std::size_t i = 0; i < found.size(); ++i) worst = std::max(worst, std::fabs(found[i] - expected[i]));
  std::vector<double> alone(expected.size());
  mi::mutual_information_cpu({pairs, {}, alone.data(), DType::float64}, serial_for);
  CHECK(alone == found, "threads change what %lld rows of %lld samples give", static_cast<long long>(n),
        static_cast<long long>(x.samples));
  CHECK(worst < 1e-11, "%lld rows, %lld bins: %g nats off", static_cast<long long>(n), static_cast<long long>(x.bins),
        worst);
  for (std::int64_t row = 0; row < n; ++row) {
    std::vector<std::int64_t> order;
    double sum = 0;
    for (std::int64_t other = 0; other < n; ++other) {
      if (other == row) continue;
      order.push_back(other);
      sum += found[static_cast<std::size_t>(row * n + other)];
    }
    std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
      return found[static_cast<std::size_t>(row * n + a)] > found[static_cast<std::size_t>(row * n + b)];
    });
    for (std::int64_t i = 0; i < k; ++i) {
      const auto at = static_cast<std::size_t>(row * k + i);
      CHECK(indices[at] == order[static_cast<std::size_t>(i)], "row %lld, partner %lld", static_cast<long long>(row),
            static_cast<long long>(i));
      CHECK(values[at] == found[static_cast<std::size_t>(row * n + indices[at])], "row %lld",
            static_cast<long long>(row));
    }
    CHECK(std::fabs(sums[static_cast<std::size_t>(row)] - sum) < 1e-9, "sum of row %lld", static_cast<long long>(row));
  }
}

void discretized(std::int64_t samples, std::int64_t bins, mi::Strategy strategy) {
  const std::int64_t columns = 21;  // more than a tile
  std::mt19937 random(7);
  std::vector<float> x(static_cast<std::size_t>(samples * columns));
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float value = static_cast<float>(random()) * 0x1p-31f - 1;
    x[i] = i % 3 == 0 ? std::max(value, 0.0f) : i % 7 == 0 ? std::nearbyint(value * 4) : value;
  }
  const Matrix matrix{x.data(), DType::float32, samples, columns, columns, 1};
  std::vector<float> edges(static_cast<std::size_t>(columns * (bins - 1)));
  std::vector<std::uint8_t> codes(x.size()), again(x.size());
  const auto done =
      mi::discretize_cpu({matrix, bins, strategy, edges.data(), DType::float32, codes.data()}, serial_for);
  CHECK(static_cast<bool>(done), "%s", fault_sentence(done, "x").c_str());
  mi::encode_cpu({matrix, edges.data(), bins - 1, DType::float32, again.data()}, thread_for(3));
  CHECK(codes == again, "%lld samples, %lld bins", static_cast<long long>(samples), static_cast<long long>(bins));
  std::int64_t wrong = 0;
  for (std::int64_t column = 0; column < columns; ++column) {
    for (std::int64_t t = 0; t < samples; ++t) {
      std::int64_t below = 0;
      for (std::int64_t e = 0; e < bins - 1; ++e) {
        below += edges[static_cast<std::size_t>(column * (bins - 1) + e)] <=
                 x[static_cast<std::size_t>(t * columns + column)];
      }
      wrong += below != codes[static_cast<std::size_t>(column * samples + t)];
    }
  }
  CHECK(wrong == 0, "%lld codes are not what the edges say", static_cast<long long>(wrong));
}

void faults() {
  Table table = random_table(5, 40, 6);
  table.data[3 * 40 + 17] = 6;
  std::vector<std::int32_t> counts(5 * 5 * 36);
  const Status in_x = mi::contingency_cpu({pairs_of(table, nullptr), counts.data()}, thread_for(2));
  CHECK(in_x.fault == Fault::bad_code && in_x.row == 3, "row %lld", static_cast<long long>(in_x.row));
  const Table good = random_table(2, 40, 6), other = random_table(5, 40, 6);
  const Status in_y = mi::contingency_cpu({pairs_of(good, &table), counts.data()}, serial_for);
  CHECK(in_y.fault == Fault::bad_code && in_y.row == 2 + 3, "row %lld", static_cast<long long>(in_y.row));
  const Status swapped = mi::contingency_cpu({pairs_of(table, &good), counts.data()}, serial_for);
  CHECK(swapped.fault == Fault::bad_code && swapped.row == 3, "row %lld", static_cast<long long>(swapped.row));
  same_counts(good, &other, serial_for);
  const float values[] = {0, 1, 2, NAN, 4, 5};  // [3, 2]
  std::vector<float> edges(2);
  std::vector<std::uint8_t> codes(6);
  const Matrix x{values, DType::float32, 3, 2, 2, 1};
  const Status nan =
      mi::discretize_cpu({x, 2, mi::Strategy::quantile, edges.data(), DType::float32, codes.data()}, serial_for);
  CHECK(nan.fault == Fault::not_finite && nan.row == 1, "column %lld", static_cast<long long>(nan.row));
}

void run() {
  for (std::int64_t bins = 2; bins <= 40; ++bins) same_counts(random_table(5, 97, bins), nullptr, serial_for);
  for (const std::int64_t bins : {64, 100, 255, 256}) same_counts(random_table(4, 301, bins), nullptr, thread_for(2));
  // Many bins, by bytes: runs of one sample and of more than tables of 16 bits hold, a spike and a constant row.
  for (const std::int64_t bins : {17, 255, 256}) {
    for (const std::int64_t samples : {2, 127, 65'535, 65'536, 70'001}) {
      const Table table = random_table(3, samples, bins);
      same_counts(table, nullptr, thread_for(2));
      scores(table, thread_for(2));
    }
  }
  same_counts(random_table(2, 140'000, 200), nullptr, serial_for);
  for (const std::int64_t rows : {3, 70, 130}) scores(random_table(rows, 300, 33), thread_for(3));
  scores(random_table(130, 9'000, 17), thread_for(2));  // by planes
  for (const auto& [n, m] : {std::pair{1, 70}, {70, 1}, {17, 129}}) {
    const Table x = random_table(n, 133, 37), y = random_table(m, 133, 37);
    same_counts(x, &y, thread_for(3));
  }
  for (const std::int64_t samples : {2, 7, 8, 9, 255, 256, 257, 2049, 70'001}) {
    same_counts(random_table(4, samples, 3), nullptr, serial_for);
  }
  for (const auto& [n, m] : {std::pair{1, 130}, {130, 1}, {17, 520}, {129, 129}}) {
    const Table x = random_table(n, 33, 4), y = random_table(m, 33, 4);
    same_counts(x, &y, thread_for(3));
  }
  same_counts(random_table(530, 17, 2), nullptr, thread_for(2));
  for (const std::int64_t rows : {2, 20, 300}) scores(random_table(rows, 50, 5), thread_for(2));
  scores(random_table(6, 70'001, 16), serial_for);
  for (const auto strategy : {mi::Strategy::quantile, mi::Strategy::uniform, mi::Strategy::zero_quantile}) {
    for (const std::int64_t samples : {2, 16, 65, 1000}) {
      for (const std::int64_t bins : {3, 16, 40, 256}) discretized(samples, bins, strategy);
    }
  }
  faults();
}

}  // namespace

CHECK_MAIN(run)
