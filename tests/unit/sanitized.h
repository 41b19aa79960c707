/* SANITIZED: is this program built with a sanitizer, in which all takes several
 * times as long?  Tests of statistics, which repeat a hundred times over what
 * other tests do once, are left to the builds without. */
#ifndef LOGLOG_TESTS_UNIT_SANITIZED_H
#define LOGLOG_TESTS_UNIT_SANITIZED_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) ||     \
    __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#endif
