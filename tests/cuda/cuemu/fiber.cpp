/* fiber: stacks and the switch between them.  A hand-written switch of six
 * registers on x86-64, where swapcontext with its two system calls was nine
 * times slower; swapcontext elsewhere. */
#include "internal.h"

#include <sys/mman.h>
#include <vector>

#ifndef __x86_64__
#include <ucontext.h>
#endif
#ifdef CUEMU_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef CUEMU_MSAN
#include <sanitizer/msan_interface.h>
#endif

namespace cuemu
{

static std::vector<void *> free_stacks;

#ifdef CUEMU_TSAN
static void *host_tsan;
#endif
#ifdef CUEMU_ASAN
static void *host_fake;
static const void *host_bottom;
static size_t host_size;
#endif

void *stack_get()
{
    if (!free_stacks.empty()) {
        void *stack = free_stacks.back();

        free_stacks.pop_back();
        return stack;
    }
    void *stack = mmap(nullptr, STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack == MAP_FAILED)
        fail("no memory for the stack of a thread");
    return stack;
}

void stack_put(void *stack)
{
    free_stacks.push_back(stack);
}

#ifdef __x86_64__
extern "C" void cuemu_switch(void **save, void *to);
asm(".text\n"
    ".globl cuemu_switch\n"
    ".type cuemu_switch,@function\n"
    "cuemu_switch:\n"
    "    pushq %rbp\n"
    "    pushq %rbx\n"
    "    pushq %r12\n"
    "    pushq %r13\n"
    "    pushq %r14\n"
    "    pushq %r15\n"
    "    movq %rsp,(%rdi)\n"
    "    movq %rsi,%rsp\n"
    "    popq %r15\n"
    "    popq %r14\n"
    "    popq %r13\n"
    "    popq %r12\n"
    "    popq %rbx\n"
    "    popq %rbp\n"
    "    ret\n"
    ".size cuemu_switch,.-cuemu_switch\n");

static void *host_sp;

static void make_context(Fiber *f, void (*entry)())
{
    /* The return address of the first switch is entry; six registers of
     * zero below it, and the stack aligned as after a call. */
    void **top =
        reinterpret_cast<void **>(static_cast<char *>(f->stack) + STACK_BYTES) -
        1;

    *top = nullptr;
    *--top = reinterpret_cast<void *>(entry);
    for (int i = 0; i < 6; i++)
        *--top = nullptr;
    f->sp = top;
}

static void switch_in(Fiber *f)
{
    cuemu_switch(&host_sp, f->sp);
}

static void switch_out(Fiber *f)
{
    cuemu_switch(&f->sp, host_sp);
}
#else
static ucontext_t host_context;

static void make_context(Fiber *f, void (*entry)())
{
    ucontext_t *u = static_cast<ucontext_t *>(f->stack);

    getcontext(u);
    u->uc_stack.ss_sp = u + 1;
    u->uc_stack.ss_size = STACK_BYTES - sizeof *u;
    u->uc_link = nullptr;
    makecontext(u, entry, 0);
    f->sp = u;
}

static void switch_in(Fiber *f)
{
    swapcontext(&host_context, static_cast<ucontext_t *>(f->sp));
}

static void switch_out(Fiber *f)
{
    swapcontext(static_cast<ucontext_t *>(f->sp), &host_context);
}
#endif

void fiber_prepare(Fiber *f, void (*entry)())
{
#ifdef CUEMU_MSAN
    __msan_unpoison(f->stack, STACK_BYTES);
#endif
    f->fake = nullptr;
    make_context(f, entry);
}

void fiber_begin()
{
#ifdef CUEMU_ASAN
    __sanitizer_finish_switch_fiber(nullptr, &host_bottom, &host_size);
#endif
}

void fiber_enter(Fiber *f)
{
    counts.switches++;
#ifdef CUEMU_TSAN
    host_tsan = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(f->tsan, __tsan_switch_to_fiber_no_sync);
#endif
#ifdef CUEMU_ASAN
    __sanitizer_start_switch_fiber(&host_fake, f->stack, STACK_BYTES);
#endif
    switch_in(f);
#ifdef CUEMU_ASAN
    __sanitizer_finish_switch_fiber(host_fake, nullptr, nullptr);
#endif
}

void fiber_leave(Fiber *f)
{
#ifdef CUEMU_TSAN
    __tsan_switch_to_fiber(host_tsan, __tsan_switch_to_fiber_no_sync);
#endif
#ifdef CUEMU_ASAN
    __sanitizer_start_switch_fiber(f->state == DONE ? nullptr : &f->fake,
                                   host_bottom, host_size);
#endif
    switch_out(f);
#ifdef CUEMU_ASAN
    __sanitizer_finish_switch_fiber(f->fake, &host_bottom, &host_size);
#endif
}

} /* namespace cuemu */
