# One folder is one target; the DEPS lines are the dependency diagram (ARCHITECTURE.md).

# kvscope_library(NAME SOURCES a.cc ... DEPS kvscope_x absl::y ...)
function(kvscope_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  if(ARG_SOURCES)
    add_library(${name} STATIC ${ARG_SOURCES})
    target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
    target_link_libraries(${name} PUBLIC ${ARG_DEPS} PRIVATE kvscope_warnings)
  else()
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE ${CMAKE_SOURCE_DIR})
    target_link_libraries(${name} INTERFACE ${ARG_DEPS})
  endif()
endfunction()

# kvscope_binary(NAME SOURCES main.cc DEPS ...)
function(kvscope_binary name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} kvscope_warnings)
endfunction()

# kvscope_test(NAME LABEL unit|golden|cluster|slow|gpu SOURCES a_test.cc ... DEPS ... [TIMEOUT s])
# One executable, one ctest entry a GoogleTest case. Tests find data below KVSCOPE_SOURCE_DIR.
function(kvscope_test name)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT" "SOURCES;DEPS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_compile_definitions(${name} PRIVATE KVSCOPE_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                                             KVSCOPE_BINARY_DIR="${CMAKE_BINARY_DIR}")
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gmock GTest::gtest_main kvscope_warnings)
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60
                       PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT})
endfunction()
