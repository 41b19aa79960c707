# Write OUT (a header with LOGLOG_COMMIT and LOGLOG_DATE, its day) when the commit of SOURCE changed.
execute_process(COMMAND git -C ${SOURCE} rev-parse --short=12 HEAD
                OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE
                ERROR_QUIET RESULT_VARIABLE rc)
if(rc)
  set(commit unknown)
else()
  execute_process(COMMAND git -C ${SOURCE} status --porcelain -uno
                  OUTPUT_VARIABLE dirty ERROR_QUIET)
  if(dirty)
    string(APPEND commit +dirty)
  endif()
endif()
execute_process(COMMAND git -C ${SOURCE} log -1 --format=%cs
                OUTPUT_VARIABLE date OUTPUT_STRIP_TRAILING_WHITESPACE
                ERROR_QUIET)
if(NOT date) # not a checkout: today, or SOURCE_DATE_EPOCH
  string(TIMESTAMP date "%Y-%m-%d" UTC)
endif()
set(text "#define LOGLOG_COMMIT \"${commit}\"\n#define LOGLOG_DATE \"${date}\"\n")
if(EXISTS ${OUT})
  file(READ ${OUT} was)
endif()
if(NOT "${was}" STREQUAL "${text}")
  file(WRITE ${OUT} "${text}")
endif()
