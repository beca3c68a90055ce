// Every operation of a lane by itself: against the PTX ISA's definition, and none without a test.
#include "operations.h"

#include "operation.h"

namespace ptx::test {
namespace {

void test_all_were_tried() {
  for (const auto& [name, operation] : all_operations())
    CHECK(operations_tried().count(name) != 0, "%s has no test", name.c_str());
  CHECK(all_operations().size() > 200, "%zu", all_operations().size());
}

void run_all() {
  test_integers();
  test_bits();
  test_floats();
  test_conversions();
  test_predicates();
  test_all_were_tried();
}

}  // namespace
}  // namespace ptx::test

CHECK_MAIN(ptx::test::run_all)
