/* selftest: the tests of the kernels as part of the plugin, for a device that
 * is there. */
int selftest_kernels(void);
int selftest_flash(void);
int engine_selftest(void);

int engine_selftest(void)
{
    int kernels = selftest_kernels(), flash = selftest_flash();

    return kernels || flash;
}
