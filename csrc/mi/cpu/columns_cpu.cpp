// Mutual information of columns: discretised, then scored; codes and edges live as long as the call.
#include "common/aligned_buffer.h"
#include "mi/mi.h"

namespace pruning_ext::mi {
namespace {

class CodedColumns {
 public:
  Status assign(const ColumnsParams& params, const Matrix& x, const ParallelFor& parallel_for) {
    DiscretizeParams step{x, params.bins, params.strategy, nullptr, result_dtype(x.dtype), nullptr};
    step.edges = edges_.reserve(x.cols * (params.bins - 1));
    step.codes = codes_.reserve(x.cols * x.rows);
    codes = {step.codes, x.cols, x.rows, x.rows, 1};
    return discretize_cpu(step, parallel_for);
  }

  Codes codes;

 private:
  AlignedBuffer<double> edges_;  // or as many of float32
  AlignedBuffer<std::uint8_t> codes_;
};

}  // namespace

Status mutual_information_of_columns_cpu(const ColumnsParams& params, const ParallelFor& parallel_for) {
  CodedColumns x, y;
  Status status = x.assign(params, params.x, parallel_for);
  if (!status) return status;
  if (!params.symmetric) {
    status = y.assign(params, params.y, parallel_for);
    if (!status) return {status.fault, params.x.cols + status.row};
  }
  const Pairs pairs{x.codes, y.codes, params.symmetric, params.bins};
  return mutual_information_cpu({pairs, params.estimator, params.information, params.dtype}, parallel_for);
}

}  // namespace pruning_ext::mi
