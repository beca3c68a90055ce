// Mutual information on CUDA, for torch.
#include <algorithm>

#include "bindings/mi_ops.h"
#include "bindings/torch/cuda_op.h"
#include "mi/cuda/columns_cuda.h"
#include "mi/cuda/discretize_cuda.h"
#include "mi/cuda/mi_cuda.h"

namespace pruning_ext::mi::on_cuda {
namespace {

// A call, and how it is to count.
struct PairCall {
  PairCall(const Tensor& like, const Pairs& pairs, Counting wanted = Counting::automatic)
      : call(like),
        counting(possible(wanted, pairs, call.context())),
        context(call.with_workspace(pairs_cuda_workspace(pairs, counting))) {}
  CudaCall call;
  Counting counting;
  const CudaContext& context;

 private:
  static Counting possible(Counting wanted, const Pairs& pairs, const CudaContext& context) {
    const Counting chosen = chosen_counting(pairs, context, wanted);
    const std::string problem = counting_problem(chosen, pairs, context);
    check(problem.empty(), problem);
    return chosen;
  }
};

bool is_empty(const Pairs& pairs) { return pairs.x.rows == 0 || pairs.partners().rows == 0; }

std::tuple<Tensor, Tensor> discretize(const Tensor& x, std::int64_t bins, const std::string& strategy,
                                      const std::string& name) {
  const auto [params, codes, edges] = prepare_discretize<TensorDoor>(x, bins, strategy, name);
  if (params.x.cols == 0) return {codes, edges};
  CudaCall call(x);
  const CudaContext& context = call.with_workspace(discretize_cuda_workspace(params, call.context()));
  call.finish(discretize_cuda(params, context), name.c_str(), "column");
  return {codes, edges};
}

Tensor encode(const Tensor& x, const Tensor& edges) {
  const auto [params, codes] = prepare_encode<TensorDoor>(x, edges);
  if (params.x.cols == 0) return codes;
  CudaCall call(x);
  call.finish(encode_cuda(params, call.context()), "x", "column");
  return codes;
}

Tensor contingency(const Tensor& codes_x, const MaybeTensor& codes_y, std::int64_t bins) {
  const auto [params, counts] = prepare_contingency<TensorDoor>(codes_x, codes_y, bins);
  if (is_empty(params.pairs)) return counts;
  PairCall pair(codes_x, params.pairs, Counting::atomics);
  raise_code_fault(pair.call.wait(contingency_cuda(params, pair.context)), params.pairs);
  return counts;
}

Tensor mutual_information(const Tensor& codes_x, const MaybeTensor& codes_y, std::int64_t bins,
                          const std::string& correction, const std::string& normalize, const std::string& unit,
                          bool float64) {
  const auto [params, information] =
      prepare_information<TensorDoor>(codes_x, codes_y, bins, estimator_of(correction, normalize, unit), float64);
  if (is_empty(params.pairs)) return information;
  PairCall pair(codes_x, params.pairs);
  raise_code_fault(pair.call.wait(mutual_information_cuda(params, pair.context, pair.counting)), params.pairs);
  return information;
}

std::tuple<Tensor, Tensor> mutual_information_topk(const Tensor& codes_x, std::int64_t k, const MaybeTensor& codes_y,
                                                   std::int64_t bins, const std::string& correction,
                                                   const std::string& normalize, const std::string& unit,
                                                   bool float64) {
  const auto [params, values, indices] =
      prepare_topk<TensorDoor>(codes_x, k, codes_y, bins, estimator_of(correction, normalize, unit), float64);
  if (is_empty(params.pairs)) return {values, indices};
  PairCall pair(codes_x, params.pairs);
  raise_code_fault(pair.call.wait(top_k_cuda(params, pair.context, pair.counting)), params.pairs);
  return {values, indices};
}

Tensor mutual_information_sum(const Tensor& codes_x, const MaybeTensor& codes_y, std::int64_t bins,
                              const std::string& correction, const std::string& normalize, const std::string& unit) {
  const auto [params, sums] =
      prepare_sum<TensorDoor>(codes_x, codes_y, bins, estimator_of(correction, normalize, unit));
  if (is_empty(params.pairs)) return sums;
  PairCall pair(codes_x, params.pairs);
  raise_code_fault(pair.call.wait(sum_cuda(params, pair.context, pair.counting)), params.pairs);
  return sums;
}

Tensor mutual_information_by(const Tensor& codes_x, const MaybeTensor& codes_y, std::int64_t bins,
                             std::int64_t counting) {
  const auto [params, information] = prepare_information<TensorDoor>(codes_x, codes_y, bins, {}, true);
  PairCall pair(codes_x, params.pairs, static_cast<Counting>(std::clamp<std::int64_t>(counting, -1, 127)));
  if (is_empty(params.pairs)) return information;
  raise_code_fault(pair.call.wait(mutual_information_cuda(params, pair.context, pair.counting)), params.pairs);
  return information;
}

Tensor mutual_information_of_columns(const Tensor& x, const MaybeTensor& y, std::int64_t bins,
                                     const std::string& strategy, const std::string& correction,
                                     const std::string& normalize, const std::string& unit) {
  const auto [params, information] =
      prepare_columns<TensorDoor>(x, y, bins, strategy, estimator_of(correction, normalize, unit));
  CudaCall call(x);
  const CudaContext& context = call.with_workspace(columns_cuda_workspace(params, call.context()));
  call.finish(discretize_side_cuda(params, Side::x, context), "x", "column");
  if (!params.symmetric) call.finish(discretize_side_cuda(params, Side::y, context), "y", "column");
  if (params.x.cols == 0 || params.partners().cols == 0) return information;
  call.finish(mutual_information_of_columns_cuda(params, context), "x", "column");
  return information;
}

}  // namespace

STABLE_TORCH_LIBRARY_FRAGMENT(pruning_ext, library) {
  // Float64 nats by one of the numbered ways of counting of mi_cuda.h, for tests and measurements.
  library.def("_mutual_information_by(Tensor codes_x, Tensor? codes_y, int bins, int counting) -> Tensor");
}

STABLE_TORCH_LIBRARY_IMPL(pruning_ext, CUDA, library) {
  library.impl("discretize", TORCH_BOX(&discretize));
  library.impl("encode", TORCH_BOX(&encode));
  library.impl("contingency", TORCH_BOX(&contingency));
  library.impl("mutual_information", TORCH_BOX(&mutual_information));
  library.impl("_mutual_information_by", TORCH_BOX(&mutual_information_by));
  library.impl("mutual_information_of_columns", TORCH_BOX(&mutual_information_of_columns));
  library.impl("mutual_information_topk", TORCH_BOX(&mutual_information_topk));
  library.impl("mutual_information_sum", TORCH_BOX(&mutual_information_sum));
}

}  // namespace pruning_ext::mi::on_cuda
