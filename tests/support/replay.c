/* SPDX-License-Identifier: Apache-2.0 */
/* replay.c - a fuzz target without its fuzzer: runs the files named, and those in the
 * folders named, once each.  So a corpus can be replayed under any compiler and any
 * instrument.  A target that finds something wrong aborts. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned runs;

static void die(const char *path)
{
        perror(path);
        exit(2);
}

static void run_file(const char *path, size_t size)
{
        uint8_t *data = malloc(size ? size : 1); /* exact: a sanitizer sees one octet too far */
        FILE *f = fopen(path, "rb");

        if (!data || !f || fread(data, 1, size, f) != size)
                die(path);
        fclose(f);
        LLVMFuzzerTestOneInput(data, size);
        runs++;
        free(data);
}

static void run_folder(const char *path)
{
        struct dirent **names = NULL;
        int n = scandir(path, &names, NULL, alphasort);

        if (n < 0)
                die(path);
        for (int i = 0; i < n; i++) {
                char file[4096];
                struct stat st;
                snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name);
                if (stat(file, &st) != 0)
                        die(file);
                if (S_ISREG(st.st_mode))
                        run_file(file, (size_t)st.st_size);
                free(names[i]);
        }
        free(names);
}

int main(int argc, char **argv)
{
        for (int i = 1; i < argc; i++) {
                struct stat st;
                if (stat(argv[i], &st) != 0)
                        die(argv[i]);
                if (S_ISDIR(st.st_mode))
                        run_folder(argv[i]);
                else
                        run_file(argv[i], (size_t)st.st_size);
        }
        printf("%u inputs\n", runs);
        return runs ? 0 : 1;
}
