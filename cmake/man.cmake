# cmake -DLOGLOG=program -DDOCS=docs -DOUT=dir [-DLOWDOWN=program] -P man.cmake
# The manual: a page for each command from the program itself, and, if lowdown is
# there, the topics from docs/.
file(MAKE_DIRECTORY ${OUT})

function(page name)
  execute_process(COMMAND ${LOGLOG} help --man ${ARGN} RESULT_VARIABLE rc
                  OUTPUT_FILE ${OUT}/${name}.1)
  if(rc)
    message(FATAL_ERROR "${LOGLOG} help --man ${ARGN}: ${rc}")
  endif()
endfunction()

execute_process(COMMAND ${LOGLOG} help --list OUTPUT_VARIABLE commands
                OUTPUT_STRIP_TRAILING_WHITESPACE)
string(REPLACE "\n" ";" commands "${commands}")
page(loglog)
file(READ ${OUT}/loglog.1 text)
string(REGEX MATCH "^\\.TH LOGLOG 1 \"([^\"]*)\"" th "${text}")
set(date "${CMAKE_MATCH_1}")
foreach(command ${commands})
  string(REPLACE " " "-" name "loglog-${command}")
  separate_arguments(words UNIX_COMMAND "${command}")
  page(${name} ${words})
endforeach()

# A topic: its title becomes its NAME, and the sections those of a page.
function(topic file name section)
  file(READ ${DOCS}/${file}.md text)
  string(REGEX MATCH "^# ([^\n]*)\n" title "${text}")
  set(title "${CMAKE_MATCH_1}")
  string(REGEX REPLACE "^# [^\n]*\n" "" text "${text}")
  set(plain ${OUT}/${name}.md)
  file(WRITE ${plain} "${text}")
  string(TOUPPER ${name} upper)
  execute_process(
    COMMAND ${LOWDOWN} -s -tman -m title=${upper} -m section=${section}
            -m date=${date} -m "volume=loglog manual" -m source=loglog
            -m shiftheadinglevelby=-1 --nroff-nolinks ${plain}
    OUTPUT_VARIABLE roff RESULT_VARIABLE rc)
  file(REMOVE ${plain})
  if(rc)
    message(FATAL_ERROR "lowdown ${file}.md: ${rc}")
  endif()
  # what follows a heading needs no paragraph; code is bold on a terminal
  string(REGEX REPLACE "(\\.S[HS]\n[^\n]*\n)\\.[PL]P\n" "\\1" roff "${roff}")
  string(REPLACE "\\fC" "\\fB" roff "${roff}")
  string(REGEX REPLACE "(\\.TH [^\n]*\n)(\\.[PL]P\n)?"
         "\\1.SH NAME\n${name} \\\\- ${title}\n.SH DESCRIPTION\n" roff "${roff}")
  file(WRITE ${OUT}/${name}.${section} "${roff}")
endfunction()

if(LOWDOWN)
  topic(database loglog-database 7)
  topic(study-file loglog-study 5)
  topic(fit-json loglog-fit-json 5)
  topic(questions loglog-questions 7)
  topic(fits loglog-fits 7)
endif()
