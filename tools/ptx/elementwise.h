// Operations from functions of single values. A function is a lambda that captures nothing, so that its type is enough.
#pragma once

#include "lanes.h"
#include "operations.h"

namespace ptx {

template <typename D, typename A, typename F>
void apply_one(Machine& m, const Inst& i, u32 mask) {
  auto* const d = cells<D>(*m.warp, i.d[0]);
  const auto* const a = cells<A>(*m.warp, i.a);
  LANES(mask, d[l] = put<D>(static_cast<D>(F{}(get<A>(a[l])))))
}

template <typename D, typename A, typename B, typename F>
void apply_two(Machine& m, const Inst& i, u32 mask) {
  auto* const d = cells<D>(*m.warp, i.d[0]);
  const auto* const a = cells<A>(*m.warp, i.a);
  const auto* const b = cells<B>(*m.warp, i.b);
  LANES(mask, d[l] = put<D>(static_cast<D>(F{}(get<A>(a[l]), get<B>(b[l])))))
}

template <typename T, typename F>
void apply_three(Machine& m, const Inst& i, u32 mask) {
  auto* const d = cells<T>(*m.warp, i.d[0]);
  const auto* const a = cells<T>(*m.warp, i.a);
  const auto* const b = cells<T>(*m.warp, i.b);
  const auto* const c = cells<T>(*m.warp, i.c);
  LANES(mask, d[l] = put<T>(static_cast<T>(F{}(get<T>(a[l]), get<T>(b[l]), get<T>(c[l])))))
}

template <typename T, typename F>
void apply_comparison(Machine& m, const Inst& i, u32 mask) {
  const auto* const a = cells<T>(*m.warp, i.a);
  const auto* const b = cells<T>(*m.warp, i.b);
  u32 result = 0;
  for (int l = 0; l < 32; ++l) result |= static_cast<u32>(F{}(get<T>(a[l]), get<T>(b[l]))) << l;
  u32& p = m.warp->preds[i.d[0]];
  p = (p & ~mask) | (result & mask);
}

template <typename T>
void apply_selection(Machine& m, const Inst& i, u32 mask) {
  auto* const d = cells<T>(*m.warp, i.d[0]);
  const auto* const a = cells<T>(*m.warp, i.a);
  const auto* const b = cells<T>(*m.warp, i.b);
  const u32 p = m.warp->preds[i.c] ^ (i.source_negated ? ~0u : 0u);
  LANES(mask, d[l] = (p >> l & 1) != 0 ? a[l] : b[l])
}

template <typename F>
void apply_predicates(Machine& m, const Inst& i, u32 mask) {
  u32* const p = m.warp->preds;
  const u32 result = F{}(p[i.a], i.b < 0 ? 0u : p[i.b]);
  p[i.d[0]] = (p[i.d[0]] & ~mask) | (result & mask);
}

template <typename D, typename A, typename F>
Operation of_one(F) {
  return {&apply_one<D, A, F>, Form::plain, {sizeof(D), sizeof(A)}};
}
template <typename D, typename A, typename B, typename F>
Operation of_two(F) {
  return {&apply_two<D, A, B, F>, Form::plain, {sizeof(D), sizeof(A), sizeof(B)}};
}
template <typename T, typename F>
Operation of_three(F) {
  return {&apply_three<T, F>, Form::plain, {sizeof(T), sizeof(T), sizeof(T), sizeof(T)}};
}
template <typename T, typename F>
Operation comparison(F) {
  return {&apply_comparison<T, F>, Form::plain, {0, sizeof(T), sizeof(T)}};
}
template <typename T>
Operation selection() {
  return {&apply_selection<T>, Form::selection, {sizeof(T), sizeof(T), sizeof(T), 0}};
}
template <typename F>
Operation predicates(F) {
  return {&apply_predicates<F>, Form::predicates, {0, 0, 0}};
}

}  // namespace ptx
