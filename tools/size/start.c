/* SPDX-License-Identifier: Apache-2.0 */
/* start.c - what newlib wants of the ground below it.  Here that is Linux, as qemu-arm plays it
 * for one process: its memory is cleared and its stack set before it begins. */
#include <errno.h>
#include <stddef.h>

#include "start.h"

#define HEAP 131072
#define EXIT 1 /* numbers of Linux on ARM */
#define WRITE 4

int main(void);
void _start(void);
void *_sbrk(ptrdiff_t n);
void _exit(int code);

static int call(int number, int a, int b, int c)
{
        register int r0 __asm__("r0") = a;
        register int r1 __asm__("r1") = b;
        register int r2 __asm__("r2") = c;
        register int r7 __asm__("r7") = number;

        __asm__ volatile("svc 0" : "+r"(r0) : "r"(r1), "r"(r2), "r"(r7) : "memory");
        return r0;
}

void start_tell(const char *text, unsigned n)
{
        (void)call(WRITE, 1, (int)text, (int)n);
}

void *_sbrk(ptrdiff_t n)
{
        static char heap[HEAP] __attribute__((aligned(8)));
        static size_t used;

        if (used + (size_t)n > sizeof heap) {
                errno = ENOMEM;
                return (void *)-1;
        }
        used += (size_t)n;
        return heap + used - (size_t)n;
}

void _exit(int code)
{
        for (;;)
                (void)call(EXIT, code, 0, 0);
}

void _start(void)
{
        _exit(main());
}
