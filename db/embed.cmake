# cmake -DOUT=x.c -DNAMES="a;b" -DFILES="a.sql;b.sql" -P embed.cmake
# Text files as C arrays, terminated: const char NAME[].
set(c "/* made by embed.cmake */\n")
foreach(name file IN ZIP_LISTS NAMES FILES)
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
  string(REGEX REPLACE "((0x..,){15})" "\\1\n" hex "${hex}")
  string(APPEND c "extern const char ${name}[];\nconst char ${name}[] = {\n"
                  "${hex}0};\n")
endforeach()
file(WRITE ${OUT} "${c}")
