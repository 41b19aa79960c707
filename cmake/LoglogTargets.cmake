# loglog_library(NAME DEPS ...): every .c of a folder as one library, with the
# warnings of the house.  loglog_test(NAME LABEL ... LIBS ...): one test.

add_library(loglog_flags INTERFACE)
target_compile_definitions(loglog_flags INTERFACE _GNU_SOURCE)
target_compile_options(loglog_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes
  -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla
  -fno-math-errno -fno-common)
if(LOGLOG_WERROR)
  target_compile_options(loglog_flags INTERFACE -Werror)
endif()
if(LOGLOG_SANITIZE)
  target_compile_options(loglog_flags INTERFACE
    -fsanitize=${LOGLOG_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(loglog_flags INTERFACE -fsanitize=${LOGLOG_SANITIZE})
endif()
target_include_directories(loglog_flags INTERFACE ${CMAKE_SOURCE_DIR})

function(loglog_library name)
  cmake_parse_arguments(A "" "" "DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
  add_library(${name} STATIC ${sources})
  set_target_properties(${name} PROPERTIES LINKER_LANGUAGE C)
  target_link_libraries(${name} PUBLIC loglog_flags ${A_DEPS})
endfunction()

# A cmocka program, one claim a test.  LABEL is unit, mpi, cuda, cli or study.
function(loglog_test name)
  cmake_parse_arguments(A "" "LABEL;TIMEOUT" "SOURCES;LIBS" ${ARGN})
  if(NOT A_SOURCES)
    set(A_SOURCES ${name}.c)
  endif()
  if(NOT A_LABEL)
    set(A_LABEL unit)
  endif()
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 120)
  endif()
  add_executable(${name} ${A_SOURCES})
  target_link_libraries(${name} PRIVATE ${A_LIBS} PkgConfig::CMOCKA m)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS ${A_LABEL}
                       TIMEOUT ${A_TIMEOUT})
endfunction()
