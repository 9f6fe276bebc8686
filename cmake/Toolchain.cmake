# The compiler's surroundings: ccache and mold where present, warnings as errors, sanitizers.
find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2")  # asserts stay on: a broken invariant must stop, not mislead
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g")

# Every target of ours links it; generated code does not.
add_library(kvscope_warnings INTERFACE)
target_compile_options(kvscope_warnings INTERFACE -Wall -Wextra -Werror)

if(KVSCOPE_SANITIZE)
  add_compile_options(-fsanitize=${KVSCOPE_SANITIZE} -fno-omit-frame-pointer -g)
  add_link_options(-fsanitize=${KVSCOPE_SANITIZE})
endif()
