// KEN's row selection at both front doors: arguments checked, the mask allocated, and the op on the CPU.
#pragma once

#include "bindings/arguments.h"
#include "ken/ken.h"

namespace pruning_ext::ken {

template <typename Door>
Prepared<KenParams, Door> prepare_mask(const Array<Door>& weight, std::int64_t k, bool keep_ties) {
  KenParams params;
  params.weight = matrix_of(Door::view(weight), "weight");
  check(params.weight.cols <= INT32_MAX,
        "weight must have less than 2^31 entries in a row, has " + std::to_string(params.weight.cols));
  check(k >= 0, "k must not be negative, is " + std::to_string(k));
  params.k = k;
  params.keep_ties = keep_ties;
  Array<Door> mask = Door::empty(weight, Element::boolean, params.weight.rows, params.weight.cols);
  params.mask = static_cast<bool*>(Door::data(mask));
  return {params, mask};
}

template <typename Door>
Array<Door> ken_mask(const Door& door, const Array<Door>& weight, std::int64_t k, bool keep_ties) {
  const auto [params, mask] = prepare_mask<Door>(weight, k, keep_ties);
  raise_fault(door.run(ken_mask_cpu, params), "weight");
  return mask;
}

template <typename Door, typename Registry>
void register_ops(Registry& registry) {
  // KEN's selection of k entries in each row of [R, N], bool.
  registry.template op<&ken_mask<Door>>("ken_mask", "(Tensor weight, SymInt k, bool keep_ties) -> Tensor");
}

}  // namespace pruning_ext::ken
