# pruning_ext::core: every CPU kernel, knowing nothing of torch or Python.
add_library(pruning_ext_core STATIC
  csrc/common/cpu_isa.cpp
  csrc/kde/cpu/lattice_tables.cpp
  csrc/kde/cpu/row_bandwidth.cpp
  csrc/kde/cpu/row_sums.cpp
  csrc/kde/cpu/log_sum_tree.cpp
  csrc/kde/cpu/kde_cpu.cpp
  csrc/ken/cpu/sorted_groups.cpp
  csrc/ken/cpu/matching.cpp
  csrc/ken/cpu/ken_cpu.cpp
  csrc/mi/cpu/margins.cpp
  csrc/mi/cpu/planes.cpp
  csrc/mi/cpu/pair_costs.cpp
  csrc/mi/cpu/pair_counter.cpp
  csrc/mi/cpu/byte_blocks.cpp
  csrc/mi/cpu/byte_counter.cpp
  csrc/mi/cpu/pair_scores.cpp
  csrc/mi/cpu/sparse_tables.cpp
  csrc/mi/cpu/mi_cpu.cpp
  csrc/mi/cpu/reductions_cpu.cpp
  csrc/mi/cpu/discretize_cpu.cpp
  csrc/mi/cpu/columns_cpu.cpp)
add_library(pruning_ext::core ALIAS pruning_ext_core)
set_target_properties(pruning_ext_core PROPERTIES EXPORT_NAME core)
target_include_directories(pruning_ext_core PUBLIC $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/csrc>)
find_package(Threads REQUIRED)  # for common/threads.h
target_link_libraries(pruning_ext_core PUBLIC Threads::Threads)
target_compile_features(pruning_ext_core PUBLIC cxx_std_20)
pruning_ext_own(pruning_ext_core)

# Kernel files, compiled once for each instruction set (csrc/common/cpu_isa.h).
set(PRUNING_EXT_KERNEL_FILES csrc/common/probe_kernels.cpp csrc/common/row_kernels.cpp csrc/kde/cpu/kde_kernels.cpp
  csrc/mi/cpu/encode_kernels.cpp csrc/mi/cpu/plane_kernels.cpp csrc/mi/cpu/byte_kernels.cpp)
set(PRUNING_EXT_ISAS baseline)
set(PRUNING_EXT_FLAGS_baseline "")
# The compiler is asked: on macOS CMAKE_SYSTEM_PROCESSOR is the host's, whatever it builds for, and cross builds may lack it.
include(CheckCXXSourceCompiles)
check_cxx_source_compiles("#ifndef __x86_64__\n#error\n#endif\nint main() {}" PRUNING_EXT_TARGET_X86_64)
if(PRUNING_EXT_TARGET_X86_64)
  list(APPEND PRUNING_EXT_ISAS avx2 avx512)
  set(PRUNING_EXT_FLAGS_avx2 -mavx2 -mfma -mf16c -mbmi -mbmi2 -mlzcnt -mpopcnt)
  set(PRUNING_EXT_FLAGS_avx512 ${PRUNING_EXT_FLAGS_avx2} -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vbmi
    -mavx512bitalg -mavx512vpopcntdq -mprefer-vector-width=512)
  target_compile_definitions(pruning_ext_core PUBLIC PRUNING_EXT_HAVE_X86_ISAS)
endif()
message(STATUS "Instruction sets of the kernels: ${PRUNING_EXT_ISAS}")
foreach(isa IN LISTS PRUNING_EXT_ISAS)
  add_library(pruning_ext_kernels_${isa} OBJECT ${PRUNING_EXT_KERNEL_FILES})
  target_include_directories(pruning_ext_kernels_${isa} PRIVATE csrc)
  target_compile_definitions(pruning_ext_kernels_${isa} PRIVATE PRUNING_EXT_ISA=${isa}
    $<TARGET_PROPERTY:pruning_ext_core,INTERFACE_COMPILE_DEFINITIONS>)
  target_compile_options(pruning_ext_kernels_${isa} PRIVATE -O3 -ffp-contract=fast -fno-math-errno -fno-trapping-math
    ${PRUNING_EXT_FLAGS_${isa}})
  pruning_ext_own(pruning_ext_kernels_${isa})
  target_sources(pruning_ext_core PRIVATE $<TARGET_OBJECTS:pruning_ext_kernels_${isa}>)
endforeach()
