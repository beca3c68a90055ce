# The package that find_package(pruning_ext) finds: the static library, the headers of its public functions, nothing else.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)
set(config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/pruning_ext)

# Users write <pruning_ext/kde/kde.h>; the headers name each other as they do here, from csrc/.
target_sources(pruning_ext_core PUBLIC FILE_SET HEADERS BASE_DIRS csrc FILES
  csrc/common/cpu_isa.h
  csrc/common/matrix.h
  csrc/common/parallel.h
  csrc/common/standard_arithmetic.h
  csrc/common/status.h
  csrc/common/threads.h
  csrc/kde/kde.h
  csrc/ken/ken.h
  csrc/mi/mi.h)
target_include_directories(pruning_ext_core INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

install(TARGETS pruning_ext_core EXPORT pruning_ext COMPONENT core
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT core
  FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/pruning_ext COMPONENT core)
install(EXPORT pruning_ext NAMESPACE pruning_ext:: DESTINATION ${config_dir} FILE pruning_ext-targets.cmake COMPONENT core)
configure_package_config_file(cmake/pruning_ext-config.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/pruning_ext-config.cmake
  INSTALL_DESTINATION ${config_dir})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/pruning_ext-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/pruning_ext-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/pruning_ext-config-version.cmake
  DESTINATION ${config_dir} COMPONENT core)
